/**
 * Drops the facts that are older than retention, month by month; docs/adr/0006-retention-base.md has the reasons.
 *
 * Everything is in the database: what is learned of the facts goes into the bases first, then the months go, then what
 * only told of them. Each step is a transaction of its own and may be repeated, so that whoever dies between two leaves a
 * state that is right, and the next run goes on. One run at a time over all processes (advisory lock).
 */
import { limits } from '@bandit/contracts';
import { type Kysely, sql } from 'kysely';
import type { Database } from '../../schema.ts';
import { createRetentionSteps, type RetentionSteps, type RowKey } from './retention-steps.ts';

/** Any fixed number that no other advisory lock has. */
const retentionLock = 7_242_301;
const first: RowKey = { companyId: '', nonce: new Uint8Array(0) };
/** A wait for a lock that gave up; a fact that came in since the base. */
const passing = new Set(['55P03', '40P01', 'BR001']);

export interface RetentionOptions {
  /** Whole days that facts are kept, at least 1. */
  readonly retentionDays: number;
  /** Between two steps. What it throws ends the run there. */
  readonly pause: (ms: number) => Promise<void>;
  readonly onDropped: (dropped: DroppedMonth) => void;
}

export interface DroppedMonth {
  readonly kind: 'assignment' | 'event';
  readonly month: Date;
  readonly nFacts: number;
}

export interface RetentionReport {
  /**
   * `done`: nothing is left to drop. `unlearned`, `unpublished`: the learner is not past what is to go; `busy`: another
   * process runs it, or somebody keeps a table. Then the next run goes on.
   */
  readonly outcome: 'done' | 'unlearned' | 'unpublished' | 'busy';
  /** Of the oldest partition of assignments. */
  readonly oldestMonth: Date | undefined;
}

/** @throws RangeError for another number of days; else what `pause` or the database throws */
export async function runRetention(
  db: Kysely<Database>,
  options: RetentionOptions,
): Promise<RetentionReport> {
  const { retentionDays } = options;
  if (!Number.isInteger(retentionDays) || retentionDays < 1 || retentionDays > 36_500)
    throw new RangeError(`retentionDays must be an integer from 1 to 36500, got ${retentionDays}`);
  return db.connection().execute(async (session) => {
    const { rows } = await sql<{ isMine: boolean }>`
      select pg_try_advisory_lock(${retentionLock}) as "isMine"`.execute(session);
    if (rows[0]?.isMine !== true) return { outcome: 'busy', oldestMonth: undefined };
    try {
      const steps = createRetentionSteps(session);
      const outcome = await dropExpired(steps, options);
      return { outcome, oldestMonth: await steps.findOldestMonth() };
    } finally {
      await sql`select pg_advisory_unlock(${retentionLock})`.execute(session);
    }
  });
}

async function dropExpired(
  steps: RetentionSteps,
  options: RetentionOptions,
): Promise<RetentionReport['outcome']> {
  const cutoff = await steps.findCutoff(options.retentionDays);
  if (!(await steps.hasExpiredFacts(cutoff))) return 'done';
  await clearAllRetired(steps, options, cutoff);
  await rememberExpiredUsers(steps, options, cutoff);
  for (let nTries = 1; ; nTries++) {
    try {
      const kept = await takeBases(steps, options, cutoff);
      if (kept !== 'taken') return kept;
      await dropMonths(steps, options, cutoff);
      break;
    } catch (error) {
      if (!passing.has((error as { code?: string }).code ?? '')) throw error;
      if (nTries >= limits.retentionTriesMax) return 'busy';
      await options.pause(limits.retentionRetryDelayMs);
    }
  }
  await clearAllRetired(steps, options, cutoff);
  await untilNone(options, () => steps.trimHistory(cutoff));
  return 'done';
}

/** Everything before the cutoff in one walk: months and what fell into the default partition alike. */
async function rememberExpiredUsers(
  steps: RetentionSteps,
  options: RetentionOptions,
  cutoff: Date,
): Promise<void> {
  const start = new Date(0);
  await walk(options, (after) => steps.rememberUsers(after, start, cutoff));
}

async function takeBases(steps: RetentionSteps, options: RetentionOptions, cutoff: Date) {
  if (await steps.areBasesTaken(cutoff)) return 'taken';
  for (let partition = 0; partition < limits.learnerPartitions; partition++) {
    const result = await steps.takeBase(partition, cutoff);
    if (result !== 'taken') return result;
    await options.pause(0);
  }
  return 'taken';
}

/** Assignments first: what is kept of an event's month is told by the assignment. */
async function dropMonths(steps: RetentionSteps, options: RetentionOptions, cutoff: Date): Promise<void> {
  for (const kind of ['assignment', 'event'] as const) {
    for (const expired of await steps.listMonths(cutoff)) {
      if (expired.kind !== kind || expired.isRetired) continue;
      const drop = kind === 'assignment' ? steps.retireAssignments : steps.dropEvents;
      const nFacts = await drop(expired.month, cutoff);
      options.onDropped({ kind, month: expired.month, nFacts });
      await options.pause(0);
    }
    const page = kind === 'assignment' ? steps.deleteDefaultAssignments : steps.deleteDefaultEvents;
    await untilNone(options, () => page(cutoff));
  }
}

async function clearAllRetired(
  steps: RetentionSteps,
  options: RetentionOptions,
  cutoff: Date,
): Promise<void> {
  for (const { month, isRetired } of await steps.listMonths(cutoff)) {
    if (!isRetired) continue;
    await walk(options, (after) => steps.clearRetired(month, after));
    await steps.dropRetired(month);
    await options.pause(0);
  }
}

async function walk(
  { pause }: RetentionOptions,
  next: (after: RowKey) => Promise<RowKey | undefined>,
): Promise<void> {
  for (let after: RowKey | undefined = first; after !== undefined; ) {
    after = await next(after);
    await pause(0);
  }
}

async function untilNone({ pause }: RetentionOptions, page: () => Promise<number>): Promise<void> {
  while ((await page()) > 0) await pause(0);
}
