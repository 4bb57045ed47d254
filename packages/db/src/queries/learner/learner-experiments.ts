import type { Algorithm, ExperimentStatus } from '@bandit/contracts';
import { type Kysely, sql } from 'kysely';
import type { Database } from '../../schema.ts';

export interface ExperimentKey {
  readonly companyId: string;
  readonly experimentId: string;
}

/** What learning an experiment needs of its configuration. */
export interface LearnerExperiment extends ExperimentKey {
  readonly partition: number;
  readonly algorithm: Algorithm;
  readonly algorithmConfig: Readonly<Record<string, unknown>>;
  readonly status: ExperimentStatus;
  /** By position, removed treatments included. */
  readonly arms: ReadonlyArray<{
    readonly weight: number;
    readonly isLive: boolean;
    readonly isOriginal: boolean;
  }>;
}

/** @returns those that exist, in any order */
export async function findLearnerExperiments(
  db: Kysely<Database>,
  keys: readonly ExperimentKey[],
): Promise<LearnerExperiment[]> {
  const { rows } = await sql<{
    company_id: string;
    id: string;
    partition: number;
    algorithm: Algorithm;
    algorithm_config: Record<string, unknown>;
    status: ExperimentStatus;
    arms: { weight: number; isLive: boolean; isOriginal: boolean }[];
  }>`
    select e.company_id, e.id, e.partition, e.algorithm, e.algorithm_config, e.status, coalesce((
      select jsonb_agg(jsonb_build_object('weight', t.weight, 'isLive', t.removed_at is null,
        'isOriginal', t.is_original) order by t.position)
      from treatments t where t.company_id = e.company_id and t.experiment_id = e.id), '[]') as arms
    from ${keyTable(keys)} k
    join experiments e on e.company_id = k.company_id and e.id = k.experiment_id`.execute(db);
  return rows.map((row) => ({
    companyId: row.company_id,
    experimentId: row.id,
    partition: row.partition,
    algorithm: row.algorithm,
    algorithmConfig: row.algorithm_config,
    status: row.status,
    arms: row.arms,
  }));
}

/** The learner's whole state as stored, for those that have one. */
export interface StoredState extends ExperimentKey {
  readonly version: number;
  readonly state: Uint8Array;
}

export async function findLearnerStates(
  db: Kysely<Database>,
  keys: readonly ExperimentKey[],
): Promise<StoredState[]> {
  if (keys.length === 0) return [];
  const { rows } = await sql<{ company_id: string; experiment_id: string; version: number; state: Buffer }>`
    select s.company_id, s.experiment_id, s.version, s.state
    from ${keyTable(keys)} k
    join experiment_states s on s.company_id = k.company_id and s.experiment_id = k.experiment_id`.execute(
    db,
  );
  return rows.map((row) => ({
    companyId: row.company_id,
    experimentId: row.experiment_id,
    version: row.version,
    state: row.state,
  }));
}

function keyTable(keys: readonly ExperimentKey[]) {
  const companies = keys.map((key) => key.companyId);
  const experiments = keys.map((key) => key.experimentId);
  return sql`(select * from unnest(${companies}::text[], ${experiments}::text[]) u(company_id, experiment_id))`;
}
