import type { StoredRecord } from '@bandit/contracts';
import { BusTimeoutError, BusUnavailableError } from '../bus-errors.ts';
import { asBusError, NatsFailure } from './nats-failure.ts';
import type { NatsSession } from './nats-session.ts';
import type { NatsStream } from './nats-streams.ts';

/**
 * @throws BusUnavailableError at once while NATS is away; BusTimeoutError, also when the stream has to be made first and
 *   that takes longer (it goes on being made); BusRefusedError
 */
export async function putRecord(
  session: NatsSession | undefined,
  stream: NatsStream,
  record: StoredRecord,
  timeoutMs: number,
): Promise<void> {
  if (session === undefined) throw new BusUnavailableError('NATS is away');
  const { promise: late, reject } = Promise.withResolvers<never>();
  const what = `the stream ${stream.plan.name}`;
  const timer = setTimeout(() => reject(new BusTimeoutError(what, timeoutMs)), timeoutMs);
  const stored = store(session, stream, record, timeoutMs);
  stored.catch(() => undefined);
  try {
    await Promise.race([stored, late]);
  } catch (error) {
    throw asBusError(error, what, timeoutMs);
  } finally {
    clearTimeout(timer);
  }
}

async function store(
  session: NatsSession,
  stream: NatsStream,
  record: StoredRecord,
  timeoutMs: number,
): Promise<void> {
  const message = { ...record, subject: stream.plan.subject };
  await stream.ensure(session);
  try {
    await session.store(stream.plan.name, message, timeoutMs);
  } catch (error) {
    if (!(error instanceof NatsFailure) || error.kind !== 'nobody') throw error;
    stream.forget();
    await stream.ensure(session);
    await session.store(stream.plan.name, message, timeoutMs);
  }
}
