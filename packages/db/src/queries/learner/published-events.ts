import type { EventType } from '@bandit/contracts';
import { type Kysely, sql } from 'kysely';
import type { Database, EventSource } from '../../schema.ts';

/** Events of a partition that are learned but not on the EVENTS stream yet, in order. */
export interface UnpublishedEvents {
  /** They lie in (afterBatch, throughBatch]. */
  readonly afterBatch: number;
  readonly throughBatch: number;
  readonly events: readonly PublishedEvent[];
}

export interface PublishedEvent {
  readonly id: string;
  readonly companyId: string;
  readonly experimentId: string;
  readonly treatmentId: string;
  readonly userId: string;
  readonly eventType: EventType;
  readonly value: number | null;
  readonly metadata: Record<string, unknown>;
  readonly source: EventSource;
  readonly funnelId: string | null;
  readonly receivedAt: Date;
}

/** @returns the next whole batches, about `eventsMax` events; undefined when all that is learned is published */
export async function readUnpublishedEvents(
  db: Kysely<Database>,
  partition: number,
  eventsMax: number,
): Promise<UnpublishedEvents | undefined> {
  const { rows } = await sql<{ after_batch: number; through_batch: number }>`
    with p as (select published_batch, cursor_batch from learner_partitions where partition = ${partition}),
    counted as (
      select b.batch, sum(b.n_events) over (order by b.batch) as n from fact_batches b, p
      where b.partition = ${partition} and b.batch > p.published_batch and b.batch <= p.cursor_batch
      order by b.batch limit ${eventsMax}
    )
    select p.published_batch as after_batch,
      coalesce((select min(batch) from counted where n >= ${eventsMax}), (select max(batch) from counted
        having count(*) = ${eventsMax}), p.cursor_batch) as through_batch
    from p where p.published_batch < p.cursor_batch`.execute(db);
  const range = rows[0];
  if (range === undefined) return undefined;
  const { after_batch: afterBatch, through_batch: throughBatch } = range;
  return { afterBatch, throughBatch, events: await readEvents(db, partition, afterBatch, throughBatch) };
}

async function readEvents(
  db: Kysely<Database>,
  partition: number,
  afterBatch: number,
  throughBatch: number,
): Promise<PublishedEvent[]> {
  return db
    .selectFrom('events')
    .select([
      'id',
      'company_id as companyId',
      'experiment_id as experimentId',
      'treatment_id as treatmentId',
      'user_id as userId',
      'event_type as eventType',
      'value',
      'metadata',
      'source',
      'funnel_id as funnelId',
      'received_at as receivedAt',
    ])
    .where('partition', '=', partition)
    .where('batch', '>', afterBatch)
    .where('batch', '<=', throughBatch)
    .orderBy('batch')
    .orderBy('position')
    .execute();
}

/** Moves the published cursor, unless another process moved it meanwhile. */
export async function markPublished(
  db: Kysely<Database>,
  partition: number,
  afterBatch: number,
  throughBatch: number,
): Promise<void> {
  await db
    .updateTable('learner_partitions')
    .set({ published_batch: throughBatch })
    .where('partition', '=', partition)
    .where('published_batch', '=', afterBatch)
    .execute();
}

/** Partitions with learned events that are not published. */
export async function listUnpublishedPartitions(db: Kysely<Database>): Promise<number[]> {
  const rows = await db
    .selectFrom('learner_partitions')
    .select('partition')
    .whereRef('published_batch', '<', 'cursor_batch')
    .execute();
  return rows.map((row) => row.partition);
}

export interface UnpublishedLag {
  /** When the oldest of them was written. */
  readonly oldestAtMs: number;
  /** Events of the first `batchesMax` batches of each partition. */
  readonly nEvents: number;
}

/** How far the EVENTS stream is behind; undefined when every learned event is on it. */
export async function measureUnpublished(
  db: Kysely<Database>,
  batchesMax: number,
): Promise<UnpublishedLag | undefined> {
  const { rows } = await sql<{ oldest_at: Date | null; n_events: number | null }>`
    select min(b.created_at) filter (where b.n_events > 0) as oldest_at, sum(b.n_events)::float8 as n_events
    from learner_partitions p
    cross join lateral (
      select created_at, n_events from fact_batches b
      where b.partition = p.partition and b.batch > p.published_batch and b.batch <= p.cursor_batch
      order by b.batch limit ${batchesMax}
    ) b`.execute(db);
  const { oldest_at: oldestAt, n_events: nEvents } = rows[0]!;
  return oldestAt === null ? undefined : { oldestAtMs: oldestAt.getTime(), nEvents: nEvents ?? 0 };
}
