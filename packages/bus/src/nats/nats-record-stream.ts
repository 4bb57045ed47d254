/**
 * The RECORDS stream on NATS. All processes share one durable consumer; it keeps what was handed out and not yet
 * acknowledged, so a process that dies holds its group back for `recordsAckWaitMs` at most. Messages stay in the stream
 * until the watch deletes what lies below the acknowledged floor. Here in memory: the drains, and how much is kept as
 * last heard. A crash loses neither; a NATS that comes back empty gets its stream and consumer again.
 */
import { type RecordStream, type Subscription, withDeadline } from '@bandit/contracts';
import { BusUnavailableError } from '../bus-errors.ts';
import type { NatsKeeper, NatsLog } from './nats-connection.ts';
import type { NatsStream } from './nats-streams.ts';
import { putRecord } from './put-record.ts';
import { createRecordConsumer } from './record-consumer.ts';
import { createRecordDrain, type RecordDrain } from './record-drain.ts';
import { createRecordWatch } from './record-watch.ts';

export interface NatsRecordStream {
  readonly records: RecordStream;
  close(): Promise<void>;
}

export function createNatsRecordStream(input: {
  readonly keeper: NatsKeeper;
  readonly stream: NatsStream;
  readonly log: NatsLog;
}): NatsRecordStream {
  const { keeper, stream, log } = input;
  const consumer = createRecordConsumer(stream);
  const drains = new Set<RecordDrain>();
  const watch = createRecordWatch({ keeper, consumer, mayPurge: () => drains.size > 0, log });
  let isClosed = false;
  const assertOpen = () => {
    if (isClosed) throw new BusUnavailableError('the bus is closed');
  };

  return {
    records: {
      put: async (record, timeoutMs) => {
        assertOpen();
        watch.start();
        await putRecord(keeper.session(), stream, record, timeoutMs);
      },
      drain: async (handler, mayTake): Promise<Subscription> => {
        assertOpen();
        watch.start();
        const drain = createRecordDrain({ keeper, consumer, handler, mayTake, log });
        drains.add(drain);
        return {
          close: async () => {
            drains.delete(drain);
            await drain.close();
          },
        };
      },
      nKept: () => watch.nKept(),
      isDrained: async (timeoutMs) => {
        assertOpen();
        const session = keeper.session();
        if (session === undefined) throw new BusUnavailableError('NATS is away');
        const what = `a look at ${stream.plan.name}`;
        const nPending = await withDeadline(consumer.countPending(session), timeoutMs, what);
        return nPending === 0;
      },
    },
    close: async () => {
      isClosed = true;
      await Promise.all([watch.close(), ...[...drains].map((drain) => drain.close())]);
      drains.clear();
    },
  };
}
