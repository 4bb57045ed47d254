import { type Kysely, sql } from 'kysely';
import type { Database, FactExceptionReason, FactKind } from '../../schema.ts';
import { addDaySums, type DaySums } from './day-sums.ts';
import type { ExperimentKey } from './learner-experiments.ts';
import { type Outcome, putOutcomes } from './outcomes.ts';
import type { FoldRange } from './read-fold-range.ts';

export interface NewState extends ExperimentKey {
  readonly version: number;
  readonly throughBatch: number;
  readonly nTrials: number;
  readonly state: Uint8Array;
  readonly serving: Uint8Array;
}

/** A fact that is not learned, and why. */
export interface NewException extends ExperimentKey {
  readonly factKind: FactKind;
  readonly factId: string;
  readonly batch: number;
  readonly position: number;
  readonly reason: FactExceptionReason;
  readonly message: string;
}

/** A trained network that the learner takes in before the fold it comes with. */
export interface NewSwap extends ExperimentKey {
  readonly network: Uint8Array;
  readonly seed: number;
  readonly nSteps: number;
}

/** Everything that one fold changes. */
export interface FoldChange {
  readonly range: FoldRange;
  /** True when the order of chunks matters to one of its experiments: a rebuild replays this fold as one. */
  readonly isRecorded: boolean;
  readonly states: readonly NewState[];
  readonly days: readonly DaySums[];
  readonly outcomes: readonly Outcome[];
  readonly exceptions: readonly NewException[];
  readonly swaps: readonly NewSwap[];
}

/** The partition moved since it was read: another process learned from it. Read again. */
export class PartitionMovedError extends Error {
  constructor(partition: number) {
    super(`partition ${partition} was moved on by another learner`);
    this.name = 'PartitionMovedError';
  }
}

/**
 * Writes cursor, counters, states and all else of a fold in one transaction, if the partition still stands where the
 * fold began.
 *
 * @throws PartitionMovedError when it does not: nothing is written
 */
export async function commitFold(db: Kysely<Database>, change: FoldChange): Promise<void> {
  await db.transaction().execute(async (trx) => {
    await moveCursor(trx, change);
    const foldSeq = change.range.foldSeq + 1;
    if (change.isRecorded) {
      const { partition, throughBatch } = change.range;
      const fold = { partition, seq: foldSeq, through_batch: throughBatch };
      await trx.insertInto('folds').values(fold).execute();
    }
    await putStates(trx, change.states);
    await addDaySums(trx, change.days);
    await putOutcomes(trx, { kind: 'live' }, change.outcomes);
    await addExceptions(trx, change.range.partition, change.exceptions);
    for (const swap of change.swaps) await addSwap(trx, swap, change.range.foldSeq);
  });
}

async function moveCursor(trx: Kysely<Database>, { range, exceptions }: FoldChange): Promise<void> {
  const moved = await trx
    .updateTable('learner_partitions')
    .set((eb) => ({
      cursor_batch: range.throughBatch,
      fold_seq: range.foldSeq + 1,
      n_learned: eb('n_learned', '+', range.nFacts - exceptions.length),
      n_excepted: eb('n_excepted', '+', exceptions.length),
      updated_at: sql<Date>`clock_timestamp()`,
    }))
    .where('partition', '=', range.partition)
    .where('cursor_batch', '=', range.cursorBatch)
    .where('fold_seq', '=', range.foldSeq)
    .executeTakeFirst();
  if (moved.numUpdatedRows !== 1n) throw new PartitionMovedError(range.partition);
}

/** One statement a state: they are large. */
export async function putStates(db: Kysely<Database>, states: readonly NewState[]): Promise<void> {
  for (const { companyId, experimentId, version, throughBatch, nTrials, state, serving } of states) {
    const values = { version, through_batch: throughBatch, n_trials: nTrials, state, serving };
    await db
      .insertInto('experiment_states')
      .values({ company_id: companyId, experiment_id: experimentId, ...values })
      .onConflict((oc) =>
        oc
          .columns(['company_id', 'experiment_id'])
          .doUpdateSet({ ...values, updated_at: sql<Date>`clock_timestamp()` }),
      )
      .execute();
  }
}

/** Facts on record as not learned. */
export async function addExceptions(
  trx: Kysely<Database>,
  partition: number,
  exceptions: readonly NewException[],
): Promise<void> {
  if (exceptions.length === 0) return;
  const rows = exceptions.map((one) => ({
    company_id: one.companyId,
    experiment_id: one.experimentId,
    fact_kind: one.factKind,
    fact_id: one.factId,
    partition,
    batch: one.batch,
    position: one.position,
    reason: one.reason,
    message: one.message,
  }));
  await sql`
    insert into fact_exceptions (company_id, experiment_id, fact_kind, fact_id, partition, batch, position, reason,
      message)
    select company_id, experiment_id, fact_kind, fact_id, partition, batch, position, reason, message
    from jsonb_populate_recordset(null::fact_exceptions, ${JSON.stringify(rows)}::jsonb)`.execute(trx);
}

async function addSwap(trx: Kysely<Database>, swap: NewSwap, afterFold: number): Promise<void> {
  const { companyId, experimentId, network, seed, nSteps } = swap;
  await sql`
    insert into model_swaps (company_id, experiment_id, seq, after_fold, network, seed, n_steps)
    select ${companyId}, ${experimentId}, coalesce(max(seq), 0) + 1, ${afterFold}, ${network}, ${seed}, ${nSteps}
    from model_swaps where company_id = ${companyId} and experiment_id = ${experimentId}`.execute(trx);
}
