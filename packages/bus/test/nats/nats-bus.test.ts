/** The contracts of both ports on a real NATS. What happens when NATS goes away is in nats-outage.test.ts. */
import t from 'tap';
import { testBusContract } from '../bus-contract.ts';
import { testRecordStreamContract } from '../record-stream-contract.ts';
import { until } from '../until.ts';
import { findNats, prepareBuses, readStream, reportMissing } from './shared-nats.ts';

const url = await findNats(t);
if (url === undefined) reportMissing(t);
else {
  t.test('the bus contract', (t) =>
    testBusContract(t, async (t) => {
      const { open, errors, prefix } = prepareBuses(t, url);
      return {
        connect: async () => {
          const { bus } = open();
          await until(() => bus.isConnected(), 'a connection');
          return bus;
        },
        errors,
        readEvents: async () => {
          const stored = await readStream(url, `${prefix}_EVENTS`);
          return stored.map(({ subject, text }) => `${subject.slice(prefix.length + 1)}=${text}`);
        },
      };
    }),
  );

  t.test('the contract of the RECORDS stream', (t) =>
    testRecordStreamContract(t, async (t) => {
      const { open } = prepareBuses(t, url);
      return {
        connect: async () => {
          const { bus, records } = open();
          await until(() => bus.isConnected(), 'a connection');
          return records;
        },
      };
    }),
  );
}
