import { limits } from '@bandit/contracts';
import { NatsFailure } from './nats-failure.ts';
import type { ConsumerPlan, ConsumerView, NatsSession } from './nats-session.ts';
import type { NatsStream } from './nats-streams.ts';
import { type PulledRecord, pullRecords } from './pull-records.ts';

/** One name for all processes: each record goes to one of them. */
const plan: ConsumerPlan = {
  durable: 'recorders',
  ackWaitMs: limits.recordsAckWaitMs,
  ackPendingMax: limits.recordsAckPendingMax,
};

export interface RecordConsumer {
  /** What there is right now. Stream and consumer are made where they are missing. @throws NatsFailure */
  pull(session: NatsSession): Promise<PulledRecord[]>;
  /** undefined when nobody has drained this stream yet. @throws NatsFailure */
  find(session: NatsSession): Promise<ConsumerView | undefined>;
  /** Messages in the stream, brought in or not; 0 when there is no stream. @throws NatsFailure */
  countStored(session: NatsSession): Promise<number>;
  /** Messages that nobody has brought in, as the server knows now. @throws NatsFailure */
  countPending(session: NatsSession): Promise<number>;
  /** Deletes what everybody has acknowledged. @throws NatsFailure */
  purgeBelow(session: NatsSession, sequence: number): Promise<void>;
}

export function createRecordConsumer(stream: NatsStream): RecordConsumer {
  const { name } = stream.plan;
  let madeOn: NatsSession | undefined;
  const find = (session: NatsSession) => session.findConsumer(name, plan.durable);
  const countStored = async (session: NatsSession) => (await session.findStream(name))?.nMessages ?? 0;
  return {
    pull: async (session) => {
      if (madeOn !== session) {
        await stream.ensure(session);
        await session.addConsumer(name, plan);
        madeOn = session;
      }
      try {
        return await pullRecords(session, name, plan.durable);
      } catch (error) {
        // Deleted, or another server without it (then nats-server just keeps silent); or it is slow, or between two
        // leaders: then making it again changes nothing.
        if (error instanceof NatsFailure && (error.kind === 'nobody' || error.kind === 'timeout')) {
          madeOn = undefined;
          stream.forget();
        }
        throw error;
      }
    },
    find,
    countStored,
    countPending: async (session) => (await find(session))?.nPending ?? countStored(session),
    purgeBelow: (session, sequence) => session.purgeBelow(name, sequence),
  };
}
