import { setTimeout as delay } from 'node:timers/promises';
import { limits, type RecordHandler } from '@bandit/contracts';
import type { NatsKeeper, NatsLog } from './nats-connection.ts';
import type { NatsSession } from './nats-session.ts';
import type { PulledRecord } from './pull-records.ts';
import type { RecordConsumer } from './record-consumer.ts';

const encoder = new TextEncoder();
const acknowledge = encoder.encode('+ACK');
const stillWorking = encoder.encode('+WPI');
const nanosPerMs = 1_000_000;

export interface RecordDrain {
  /** Takes nothing more and resolves when the group in hand is done and acknowledged. */
  close(): Promise<void>;
}

export interface RecordDrainInput {
  readonly keeper: NatsKeeper;
  readonly consumer: RecordConsumer;
  readonly handler: RecordHandler;
  readonly mayTake: () => boolean;
  readonly log: NatsLog;
}

/** Hands groups to the handler, one at a time, for as long as there are any; then looks again every `recordsPollMs`. */
export function createRecordDrain(input: RecordDrainInput): RecordDrain {
  const { keeper, consumer, handler, mayTake, log } = input;
  const closing = new AbortController();
  let isFailing = false;

  const take = async (): Promise<boolean> => {
    const session = keeper.session();
    if (session === undefined || !mayTake()) return false;
    const group = await consumer.pull(session);
    if (group.length === 0) return false;
    await bringIn(session, group, handler, log);
    return true;
  };
  const drain = async () => {
    while (!closing.signal.aborted) {
      let hasMore = false;
      try {
        hasMore = await take();
        isFailing = false;
      } catch (error) {
        if (!isFailing) log.warn({ reason: (error as Error).message }, 'RECORDS cannot be read now');
        isFailing = true;
      }
      if (!hasMore)
        await delay(limits.recordsPollMs, undefined, { signal: closing.signal }).catch(() => undefined);
    }
  };
  const drained = drain();
  return {
    close: async () => {
      closing.abort();
      await drained;
    },
  };
}

/** The handler's failure is told to the stream, which hands the records out again later; it is not thrown. */
async function bringIn(
  session: NatsSession,
  group: readonly PulledRecord[],
  handler: RecordHandler,
  log: NatsLog,
): Promise<void> {
  const tellWorking = () => {
    for (const { ackSubject } of group) tell(session, ackSubject, stillWorking);
  };
  const timer = setInterval(tellWorking, limits.recordsWorkingIntervalMs);
  try {
    await handler(group.map(({ payload }) => payload));
  } catch (error) {
    const again = Math.max(...group.map(retryDelayMs));
    log.warn(
      { err: error, nRecords: group.length, retryMs: again },
      'records were not brought in: they come again',
    );
    for (const record of group) tell(session, record.ackSubject, comeAgain(retryDelayMs(record)));
    return;
  } finally {
    clearInterval(timer);
  }
  // Acknowledged acknowledgements; one that gets lost means that the record comes again, which its handler recognises.
  await Promise.allSettled(
    group.map(({ ackSubject }) => session.request(ackSubject, acknowledge, limits.natsCallTimeoutMs)),
  );
}

/** On a lost session nothing needs to be told: the stream hands the records out again by itself. */
function tell(session: NatsSession, ackSubject: string, what: Uint8Array): void {
  if (session.isOpen()) session.publish(ackSubject, what);
}

function comeAgain(delayMs: number): Uint8Array {
  return encoder.encode(`-NAK ${JSON.stringify({ delay: delayMs * nanosPerMs })}`);
}

function retryDelayMs({ nDeliveries }: PulledRecord): number {
  return Math.min(limits.recordsRetryDelayMs * 2 ** (nDeliveries - 1), limits.recordsRetryDelayMsMax);
}
