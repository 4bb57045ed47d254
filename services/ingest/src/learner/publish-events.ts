import { type Bus, limits, type StateMessage, type StreamRecord, subjects } from '@bandit/contracts';
import {
  markPublished,
  type NewState,
  type OpenedDatabase,
  type PublishedEvent,
  readUnpublishedEvents,
} from '@bandit/db';

/** Tells every process of a new state: with it up to `inlineStateBytesMax`, else they fetch it. */
export function broadcastState(bus: Pick<Bus, 'publish'>, state: NewState): void {
  const { companyId, experimentId, version, serving } = state;
  const isInline = serving.byteLength <= limits.inlineStateBytesMax;
  const message: StateMessage = {
    companyId,
    experimentId,
    version,
    ...(isInline ? { serving: Buffer.from(serving).toString('base64') } : {}),
  };
  bus.publish(subjects.state(experimentId), Buffer.from(JSON.stringify(message)));
}

/**
 * Puts the next learned events of a partition on the EVENTS stream, in order, and moves the published cursor behind them.
 * Assignments are not among them. A crash between the two repeats events; the stream knows them by their id.
 *
 * @returns true when there were any
 */
export async function publishEvents(
  db: OpenedDatabase['db'],
  bus: Pick<Bus, 'publishEvents'>,
  partition: number,
): Promise<boolean> {
  const unpublished = await readUnpublishedEvents(db, partition, limits.learnerPublishEventsMax);
  if (unpublished === undefined) return false;
  const { afterBatch, throughBatch, events } = unpublished;
  if (events.length > 0) await bus.publishEvents(events.map(toRecord));
  await markPublished(db, partition, afterBatch, throughBatch);
  return true;
}

function toRecord(event: PublishedEvent): StreamRecord {
  const { receivedAt, ...rest } = event;
  const payload = Buffer.from(JSON.stringify({ ...rest, timestamp: receivedAt.toISOString() }));
  return { id: event.id, subject: subjects.event(event.companyId), payload };
}
