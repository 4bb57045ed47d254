import { limits, type StreamRecord } from '@bandit/contracts';
import { BusUnavailableError } from '../bus-errors.ts';
import { asBusError, NatsFailure } from './nats-failure.ts';
import type { NatsSession } from './nats-session.ts';
import type { NatsStream } from './nats-streams.ts';
import { readTraceHeaders } from './trace-headers.ts';

/**
 * Stores the records in order, up to `eventsInFlightMax` ahead of their acknowledgements. One connection's messages are
 * stored in the order sent, so the order holds as long as none is refused; after one is, at most those in flight behind
 * it are stored before it, once the caller has repeated the batch.
 *
 * @throws BusUnavailableError, BusTimeoutError or BusRefusedError: some may be stored; the same ids may be sent again
 */
export async function publishEventsTo(
  session: NatsSession | undefined,
  stream: NatsStream,
  records: readonly StreamRecord[],
): Promise<void> {
  if (records.length === 0) return;
  if (session === undefined) throw new BusUnavailableError('NATS is away');
  try {
    await stream.ensure(session);
    try {
      await storeAll(session, stream, records);
    } catch (error) {
      if (!isAboutTheStream(error)) throw error;
      // Deleted, or another server without it: made again, the whole batch goes once more, from its beginning.
      stream.forget();
      await stream.ensure(session);
      await storeAll(session, stream, records);
    }
  } catch (error) {
    // A stream that is gone looks like this where somebody else listens on its subjects: the next batch looks again.
    if (error instanceof NatsFailure && error.kind === 'timeout') stream.forget();
    throw asBusError(error, `the stream ${stream.plan.name}`, limits.natsCallTimeoutMs);
  }
}

/** Rejects with the first failure, after the last answer: a repeat never overtakes what is still on its way. */
async function storeAll(
  session: NatsSession,
  stream: NatsStream,
  records: readonly StreamRecord[],
): Promise<void> {
  const headers = readTraceHeaders();
  const sent: Promise<void>[] = [];
  try {
    for (const record of records) {
      const oldest = sent[sent.length - limits.eventsInFlightMax];
      if (oldest !== undefined) await oldest;
      const stored = session.store(stream.plan.name, { ...record, headers }, limits.natsCallTimeoutMs);
      sent.push(stored);
      // Heard below; until then it must not count as a rejection that nobody handles.
      stored.catch(() => undefined);
    }
    await Promise.all(sent);
  } finally {
    await Promise.allSettled(sent);
  }
}

export function isAboutTheStream(error: unknown): boolean {
  return error instanceof NatsFailure && error.kind === 'nobody';
}
