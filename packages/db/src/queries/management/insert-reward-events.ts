import { type Kysely, sql } from 'kysely';
import type { Database } from '../../schema.ts';

/** One credited assignment of a funnel reward. */
export interface RewardEvent {
  readonly id: string;
  /** Identity in event_keys. */
  readonly key: Uint8Array;
  readonly experimentId: string;
  readonly treatmentId: string;
  readonly partition: number;
  readonly nonce: Uint8Array;
  readonly assignedAt: Date;
}

export interface RewardOrigin {
  readonly companyId: string;
  readonly funnelId: string;
  readonly userId: string;
  readonly value: number;
}

/**
 * Writes the CONVERSION events of one funnel reward, their identities, and one fact_batches row per partition.
 *
 * @param events at least one; positions follow their order within each partition
 */
export async function insertRewardEvents(
  trx: Kysely<Database>,
  origin: RewardOrigin,
  events: readonly RewardEvent[],
): Promise<void> {
  const keys = events
    .map((event) => ({ company_id: origin.companyId, key: event.key, event_id: event.id }))
    // One order everywhere, so that two transactions cannot wait for each other in a circle.
    .sort((a, b) => Buffer.compare(a.key, b.key));
  await trx.insertInto('event_keys').values(keys).execute();

  const byPartition = Map.groupBy(events, (event) => event.partition);
  const rows = [...byPartition.values()].flatMap((ofPartition) =>
    ofPartition.map((event, position) => ({
      company_id: origin.companyId,
      experiment_id: event.experimentId,
      treatment_id: event.treatmentId,
      id: event.id,
      user_id: origin.userId,
      event_type: 'CONVERSION' as const,
      value: origin.value,
      source: 'funnel' as const,
      funnel_id: origin.funnelId,
      assignment_nonce: event.nonce,
      assigned_at: event.assignedAt,
      partition: event.partition,
      position,
    })),
  );
  await trx.insertInto('events').values(rows).execute();

  const batches = [...byPartition].map(([partition, { length }]) => ({
    partition,
    batch: sql<number>`current_batch()`,
    n_events: length,
  }));
  await trx.insertInto('fact_batches').values(batches).execute();
}
