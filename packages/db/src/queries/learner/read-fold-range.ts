import { type Kysely, sql } from 'kysely';
import type { Database } from '../../schema.ts';

/** Where a partition's learner stands, and what it may take next. */
export interface FoldRange {
  readonly partition: number;
  /** Batches up to this one are learned. */
  readonly cursorBatch: number;
  readonly foldSeq: number;
  /** The next fold takes (cursorBatch, throughBatch]; equal to cursorBatch when there is nothing. */
  readonly throughBatch: number;
  /** Assignments and events in that range. */
  readonly nFacts: number;
  /** True when there are batches that an older transaction still keeps back. */
  readonly hasUnsettled: boolean;
}

/**
 * The next whole batches of a partition, up to `factsMax` facts, at least one batch. Only settled ones: every
 * transaction that may still write a lower batch has ended.
 */
export async function readFoldRange(
  db: Kysely<Database>,
  partition: number,
  factsMax: number,
): Promise<FoldRange> {
  // In a statement of its own, before the batches are read: in one statement the function would see later
  // commits than the statement's own snapshot, and the cursor could pass a batch that it does not.
  const settled = await sql<{ batch: number }>`select settled_batch() as batch`.execute(db);
  const settledBatch = settled.rows[0]!.batch;
  const { rows } = await sql<{
    cursor_batch: number;
    fold_seq: number;
    through_batch: number | null;
    n_facts: number | null;
    has_unsettled: boolean;
  }>`
    with partition_row as (
      select cursor_batch, fold_seq from learner_partitions where partition = ${partition}
    ), next_batches as (
      select b.batch, sum(b.n_assignments + b.n_events) over (order by b.batch) as n_facts
      from fact_batches b, partition_row p
      where b.partition = ${partition} and b.batch > p.cursor_batch and b.batch < ${settledBatch}
      order by b.batch limit ${factsMax}
    ), taken as (
      select batch, n_facts from next_batches
      where n_facts <= ${factsMax} or batch = (select min(batch) from next_batches)
      order by batch desc limit 1
    )
    select p.cursor_batch, p.fold_seq, t.batch as through_batch, t.n_facts,
      exists (select 1 from fact_batches b where b.partition = ${partition} and b.batch >= ${settledBatch}) as has_unsettled
    from partition_row p left join taken t on true`.execute(db);
  const row = rows[0];
  if (row === undefined) throw new Error(`learner partition ${partition} does not exist`);
  return {
    partition,
    cursorBatch: row.cursor_batch,
    foldSeq: row.fold_seq,
    throughBatch: row.through_batch ?? row.cursor_batch,
    nFacts: row.n_facts ?? 0,
    hasUnsettled: row.has_unsettled,
  };
}

export interface WaitingPartition {
  readonly partition: number;
  /** When the oldest fact that is not learned was written. */
  readonly oldestAtMs: number;
}

/** Partitions with facts above their cursor. Some of them may not be settled yet. */
export async function listWaitingPartitions(db: Kysely<Database>): Promise<WaitingPartition[]> {
  const { rows } = await sql<{ partition: number; oldest_at: Date }>`
    select p.partition, b.created_at as oldest_at from learner_partitions p
    cross join lateral (
      select created_at from fact_batches b where b.partition = p.partition and b.batch > p.cursor_batch
      order by b.batch limit 1
    ) b
    order by p.partition`.execute(db);
  return rows.map((row) => ({ partition: row.partition, oldestAtMs: row.oldest_at.getTime() }));
}
