/** The steps of retention, each a function of migration 0008 in a transaction of its own; see run-retention. */
import { limits } from '@bandit/contracts';
import { type Kysely, type RawBuilder, sql } from 'kysely';
import type { Database } from '../../schema.ts';

/** One session's calls, as the role that may drop facts. */
export interface RetentionSteps {
  findCutoff(retentionDays: number): Promise<Date>;
  listMonths(cutoff: Date): Promise<ExpiredMonth[]>;
  hasExpiredFacts(cutoff: Date): Promise<boolean>;
  areBasesTaken(cutoff: Date): Promise<boolean>;
  takeBase(partition: number, cutoff: Date): Promise<'taken' | 'unlearned' | 'unpublished'>;
  rememberUsers(after: RowKey, month: Date, until: Date): Promise<RowKey | undefined>;
  /** @returns how many facts went */
  retireAssignments(month: Date, cutoff: Date): Promise<number>;
  clearRetired(month: Date, after: RowKey): Promise<RowKey | undefined>;
  dropRetired(month: Date): Promise<void>;
  dropEvents(month: Date, cutoff: Date): Promise<number>;
  deleteDefaultAssignments(cutoff: Date): Promise<number>;
  deleteDefaultEvents(cutoff: Date): Promise<number>;
  trimHistory(cutoff: Date): Promise<number>;
  findOldestMonth(): Promise<Date | undefined>;
}

export interface ExpiredMonth {
  readonly kind: 'assignment' | 'event';
  readonly month: Date;
  /** Taken out already, and not cleared away. */
  readonly isRetired: boolean;
}

export interface RowKey {
  readonly companyId: string;
  readonly nonce: Uint8Array;
}

export function createRetentionSteps(session: Kysely<Database>): RetentionSteps {
  const rowsMax = sql`${limits.retentionPageRowsMax}::integer`;
  const rows = async <T>(call: RawBuilder<T>): Promise<T[]> =>
    session.transaction().execute(async (trx) => {
      await sql`select set_config('role', 'bandit_retention', true)`.execute(trx);
      return (await call.execute(trx)).rows;
    });
  const value = async <T>(call: RawBuilder<unknown>): Promise<T> =>
    (await rows(sql<{ value: T }>`select ${call} as value`))[0]!.value;
  const lastKey = async (call: RawBuilder<unknown>): Promise<RowKey | undefined> => {
    const [row] = await rows(sql<{ last_company: string; last_nonce: Buffer }>`select * from ${call}`);
    return row && { companyId: row.last_company, nonce: row.last_nonce };
  };
  const at = (date: Date) => sql`${date}::timestamptz`;
  const after = ({ companyId, nonce }: RowKey) => sql`${companyId}, ${Buffer.from(nonce)}::bytea`;
  return {
    findCutoff: (days) =>
      value(sql`(date_trunc('month', (now() - make_interval(days => ${days}::integer,
        secs => ${limits.retentionSlackMs / 1_000})) at time zone 'UTC') at time zone 'UTC')`),
    listMonths: async (cutoff) => {
      const found = await rows(sql<{ fact_kind: 'assignment' | 'event'; month: Date; is_retired: boolean }>`
        select * from list_expired_months(${at(cutoff)})`);
      return found.map((row) => ({ kind: row.fact_kind, month: row.month, isRetired: row.is_retired }));
    },
    hasExpiredFacts: (cutoff) => value(sql`has_expired_facts(${at(cutoff)})`),
    areBasesTaken: (cutoff) => value(sql`bases_cover(${at(cutoff)})`),
    takeBase: (partition, cutoff) => value(sql`take_base(${partition}::smallint, ${at(cutoff)})`),
    rememberUsers: (key, month, until) =>
      lastKey(sql`remember_users(${after(key)}, ${rowsMax}, ${at(month)}, ${at(until)})`),
    retireAssignments: (month, cutoff) => value(sql`retire_assignments(${at(month)}, ${at(cutoff)})`),
    clearRetired: (month, key) => lastKey(sql`clear_retired(${at(month)}, ${after(key)}, ${rowsMax})`),
    dropRetired: (month) => value(sql`drop_retired(${at(month)})`),
    dropEvents: (month, cutoff) => value(sql`drop_events(${at(month)}, ${at(cutoff)})`),
    deleteDefaultAssignments: (cutoff) => value(sql`delete_default_assignments(${at(cutoff)}, ${rowsMax})`),
    deleteDefaultEvents: (cutoff) => value(sql`delete_default_events(${at(cutoff)}, ${rowsMax})`),
    trimHistory: (cutoff) => value(sql`trim_history(${at(cutoff)}, ${rowsMax})`),
    findOldestMonth: async () => (await value<Date | null>(sql`oldest_fact_month()`)) ?? undefined,
  };
}
