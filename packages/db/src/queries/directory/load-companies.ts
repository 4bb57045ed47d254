import type { CompanySnapshot, ExperimentSnapshot, TreatmentSnapshot } from '@bandit/contracts';
import { type Kysely, sql } from 'kysely';
import type { Database } from '../../schema.ts';
import { toApiKeySnapshot } from './api-key-snapshot.ts';

/**
 * Snapshots of these companies in four set-based queries, whatever their size; unknown ids are left out. The version
 * is read first: contents may be newer than it says, never older.
 */
export async function loadCompanies(
  db: Kysely<Database>,
  companyIds: readonly string[],
): Promise<CompanySnapshot[]> {
  const versions = await listVersions(db, companyIds);
  const experiments = groupBy(await listExperiments(db, companyIds), (row) => row.company_id);
  const treatments = groupBy(await listTreatments(db, companyIds), (row) => row.experiment_id);
  const apiKeys = groupBy(await listKeys(db, companyIds), (row) => row.company_id);
  return versions.map(({ id, config_version }) => ({
    companyId: id,
    version: config_version,
    experiments: (experiments.get(id) ?? []).map((row) => toExperiment(row, treatments.get(row.id) ?? [])),
    apiKeys: (apiKeys.get(id) ?? []).map(toApiKeySnapshot),
  }));
}

const anyOf = (companyIds: readonly string[]) => sql<string>`any(${[...companyIds]}::text[])`;

function listVersions(db: Kysely<Database>, companyIds: readonly string[]) {
  return db
    .selectFrom('companies')
    .select(['id', 'config_version'])
    .where('id', '=', anyOf(companyIds))
    .execute();
}

function listExperiments(db: Kysely<Database>, companyIds: readonly string[]) {
  return db
    .selectFrom('experiments')
    .select([
      'company_id',
      'id',
      'partition',
      'algorithm',
      'algorithm_config',
      'content_type',
      'status',
      'assignment_ttl',
      'end_at',
    ])
    .where('company_id', '=', anyOf(companyIds))
    .execute();
}

function listTreatments(db: Kysely<Database>, companyIds: readonly string[]) {
  return db
    .selectFrom('treatments')
    .select([
      'experiment_id',
      'id',
      'position',
      'name',
      'config',
      'weight',
      'is_original',
      sql<boolean>`removed_at is null`.as('is_live'),
    ])
    .where('company_id', '=', anyOf(companyIds))
    .orderBy('position')
    .execute();
}

function listKeys(db: Kysely<Database>, companyIds: readonly string[]) {
  return db
    .selectFrom('api_keys')
    .select(['company_id', 'id', 'key_id', 'secret_hash', 'scopes', 'expires_at'])
    .where('company_id', '=', anyOf(companyIds))
    .where('revoked_at', 'is', null)
    .execute();
}

type RowOf<F extends (...args: never[]) => Promise<unknown[]>> = Awaited<ReturnType<F>>[number];

function toExperiment(
  row: RowOf<typeof listExperiments>,
  treatments: ReadonlyArray<RowOf<typeof listTreatments>>,
): ExperimentSnapshot {
  return {
    companyId: row.company_id,
    id: row.id,
    partition: row.partition,
    algorithm: row.algorithm,
    algorithmConfig: row.algorithm_config,
    contentType: row.content_type,
    status: row.status,
    assignmentTtlSeconds: row.assignment_ttl,
    endAtMs: row.end_at?.getTime(),
    treatments: treatments.map(toTreatment),
  };
}

function toTreatment(row: RowOf<typeof listTreatments>, index: number): TreatmentSnapshot {
  if (row.position !== index) {
    throw new Error(`treatment ${row.id} must have position ${index}, got ${row.position}`);
  }
  return {
    id: row.id,
    position: row.position,
    name: row.name,
    config: row.config,
    weight: row.weight,
    isLive: row.is_live,
    isOriginal: row.is_original,
  };
}

function groupBy<T>(rows: readonly T[], keyOf: (row: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const row of rows) {
    const key = keyOf(row);
    const group = groups.get(key);
    if (group) group.push(row);
    else groups.set(key, [row]);
  }
  return groups;
}
