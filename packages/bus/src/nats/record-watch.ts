import { setTimeout as delay } from 'node:timers/promises';
import { limits } from '@bandit/contracts';
import type { NatsKeeper, NatsLog } from './nats-connection.ts';
import { NatsFailure } from './nats-failure.ts';
import type { NatsSession } from './nats-session.ts';
import type { RecordConsumer } from './record-consumer.ts';

export interface RecordWatch {
  /** From the first call on; a process that has nothing to do with RECORDS never asks for it. */
  start(): void;
  nKept(): number | undefined;
  close(): Promise<void>;
}

export interface RecordWatchInput {
  readonly keeper: NatsKeeper;
  readonly consumer: RecordConsumer;
  /** Only who brings records in deletes them. */
  readonly mayPurge: () => boolean;
  readonly log: NatsLog;
}

/** Looks every `recordsWatchIntervalMs` how much RECORDS keeps, and deletes what has been brought in. */
export function createRecordWatch(input: RecordWatchInput): RecordWatch {
  const { keeper, consumer, mayPurge, log } = input;
  const closing = new AbortController();
  let nKept: number | undefined;
  let running: Promise<void> | undefined;
  /** How far this session's server was asked to delete: floors of another server's stream mean nothing here. */
  let purged: { readonly session: NatsSession; readonly floor: number } | undefined;

  const purge = async (session: NatsSession, floor: number) => {
    if (!mayPurge() || floor === 0 || (purged?.session === session && floor <= purged.floor)) return;
    purged = { session, floor };
    await consumer.purgeBelow(session, floor + 1).catch((error: unknown) => {
      if (error instanceof NatsFailure && error.kind === 'refused')
        log.warn({ reason: error.message }, 'records that were brought in cannot be deleted from RECORDS');
    });
  };
  const look = async (): Promise<number | undefined> => {
    const session = keeper.session();
    if (session === undefined) return undefined;
    const view = await consumer.find(session);
    if (view === undefined) return consumer.countStored(session);
    await purge(session, view.ackFloor);
    return view.nPending;
  };
  const watch = async () => {
    while (!closing.signal.aborted) {
      nKept = await look().catch(() => undefined);
      await delay(limits.recordsWatchIntervalMs, undefined, { signal: closing.signal }).catch(
        () => undefined,
      );
    }
  };
  return {
    start: () => {
      running ??= watch();
    },
    nKept: () => nKept,
    close: async () => {
      closing.abort();
      await running;
    },
  };
}
