import { type Kysely, sql } from 'kysely';
import type { Database } from '../../schema.ts';

/** The learner's view of one assignment. */
export interface Outcome {
  readonly companyId: string;
  readonly experimentId: string;
  /** Hexadecimal. */
  readonly nonce: string;
  /** Recorded where a trial's weight depends on it (discount below 1). */
  readonly trialNumber: number | undefined;
  /** Mapped rewards by source; undefined: none came. */
  readonly conversionReward: number | undefined;
  readonly funnelReward: number | undefined;
  /** The larger of those present, 0 without any. */
  readonly reward: number;
  readonly firstRewardedAtMs: number | undefined;
}

/** The learner's own table, or the place aside in which a rebuild collects. */
export type OutcomeStore =
  | { readonly kind: 'live' }
  | {
      readonly kind: 'rebuild';
      readonly token: string;
      /** True once it was compared with the live rows: what is written from then on differs from them. */
      readonly isCompared: boolean;
    };

export interface OutcomeKey {
  readonly companyId: string;
  readonly experimentId: string;
  readonly nonce: string;
}

export async function findOutcomes(
  db: Kysely<Database>,
  store: OutcomeStore,
  keys: readonly OutcomeKey[],
): Promise<Outcome[]> {
  if (keys.length === 0) return [];
  const companies = keys.map((key) => key.companyId);
  const experiments = keys.map((key) => key.experimentId);
  const nonces = keys.map((key) => key.nonce);
  const { rows } = await sql<{
    company_id: string;
    experiment_id: string;
    nonce: string;
    trial_number: number | null;
    conversion_reward: number | null;
    funnel_reward: number | null;
    reward: number;
    first_rewarded_at: Date | null;
  }>`
    select o.company_id, o.experiment_id, encode(o.nonce, 'hex') as nonce, o.trial_number, o.conversion_reward,
      o.funnel_reward, o.reward, o.first_rewarded_at
    from unnest(${companies}::text[], ${experiments}::text[], ${nonces}::text[]) k(company_id, experiment_id, nonce)
    join ${source(store)} o on o.company_id = k.company_id and o.experiment_id = k.experiment_id
      and o.nonce = decode(k.nonce, 'hex')`.execute(db);
  return rows.map((row) => ({
    companyId: row.company_id,
    experimentId: row.experiment_id,
    nonce: row.nonce,
    trialNumber: row.trial_number ?? undefined,
    conversionReward: row.conversion_reward ?? undefined,
    funnelReward: row.funnel_reward ?? undefined,
    reward: row.reward,
    firstRewardedAtMs: row.first_rewarded_at?.getTime(),
  }));
}

function source(store: OutcomeStore) {
  return store.kind === 'live'
    ? sql`assignment_outcomes`
    : sql`(select * from rebuild_outcomes where token = ${store.token} and not is_gone)`;
}

/** @param outcomes each (company, nonce) at most once */
export async function putOutcomes(
  db: Kysely<Database>,
  store: OutcomeStore,
  outcomes: readonly Outcome[],
): Promise<void> {
  if (outcomes.length === 0) return;
  const input = JSON.stringify(outcomes.map(toInput));
  const { table, columns, values, identity, more } = targetOf(store);
  await sql`
    insert into ${table} (${columns}company_id, nonce, experiment_id, trial_number, conversion_reward, funnel_reward,
      reward, first_rewarded_at)
    select ${values}company_id, nonce, experiment_id, trial_number, conversion_reward, funnel_reward, reward,
      to_timestamp(first_rewarded_ms / 1000.0)
    from jsonb_to_recordset(${input}::jsonb) as x(company_id text, nonce bytea, experiment_id text,
      trial_number bigint, conversion_reward double precision, funnel_reward double precision,
      reward double precision, first_rewarded_ms bigint)
    on conflict (${identity}) do update set trial_number = excluded.trial_number,
      conversion_reward = excluded.conversion_reward, funnel_reward = excluded.funnel_reward,
      reward = excluded.reward, first_rewarded_at = excluded.first_rewarded_at${more}`.execute(db);
}

function targetOf(store: OutcomeStore) {
  if (store.kind === 'live') {
    const identity = sql`company_id, nonce`;
    return { table: sql`assignment_outcomes`, columns: sql``, values: sql``, identity, more: sql`` };
  }
  return {
    table: sql`rebuild_outcomes`,
    columns: sql`token, differs, `,
    values: sql`${store.token}::text, ${store.isCompared}::boolean, `,
    identity: sql`token, company_id, nonce`,
    more: sql`, differs = excluded.differs, is_gone = false`,
  };
}

function toInput(outcome: Outcome) {
  return {
    company_id: outcome.companyId,
    nonce: `\\x${outcome.nonce}`,
    experiment_id: outcome.experimentId,
    trial_number: outcome.trialNumber,
    conversion_reward: outcome.conversionReward,
    funnel_reward: outcome.funnelReward,
    reward: outcome.reward,
    first_rewarded_ms: outcome.firstRewardedAtMs,
  };
}
