import t, { type Test } from 'tap';
import { createInProcessBus, type InProcessBusOptions } from '../src/index.ts';
import { testBusContract } from './bus-contract.ts';

const bytes = (n: number) => Uint8Array.of(n);
const decode = (payload: Uint8Array) => new TextDecoder().decode(payload);
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

function setUp(t: Test, options: Partial<InProcessBusOptions> = {}) {
  const errors: string[] = [];
  const warnings: { details: object; message: string }[] = [];
  const log = {
    warn: (details: object, message: string) => warnings.push({ details, message }),
    error: (_: object, message: string) => errors.push(message),
  };
  const bus = createInProcessBus({ log, ...options });
  t.teardown(() => bus.close());
  return { bus, errors, warnings };
}

t.test('the bus contract', (t) =>
  testBusContract(t, async (t) => {
    const { bus, errors } = setUp(t);
    const events: string[] = [];
    await bus.subscribe('events.*', (subject, payload) => {
      events.push(`${subject}=${decode(payload)}`);
    });
    const readEvents = async () => {
      // Delivered in order: nothing is behind the marker.
      await bus.publishEvents([{ id: 'marker', subject: 'events.marker', payload: bytes(0) }]);
      while (!events.at(-1)?.startsWith('events.marker')) await turn();
      return events.slice(0, -1);
    };
    return { connect: async () => bus, errors, readEvents };
  }),
);

t.test('a subscriber that is too slow loses the newest messages, is reported, and goes on', async (t) => {
  const { bus, warnings } = setUp(t, { handlerQueueMax: 3 });
  const got: number[] = [];
  const fast: number[] = [];
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  await bus.subscribe('state.a', async (_, payload) => {
    got.push(payload[0] as number);
    await gate;
  });
  await bus.subscribe('state.a', (_, payload) => {
    fast.push(payload[0] as number);
  });
  bus.publish('state.a', bytes(1));
  await turn();
  await turn();
  // One is being handled; three wait; the fifth and sixth are lost.
  for (const n of [2, 3, 4]) bus.publish('state.a', bytes(n));
  await turn();
  await turn();
  for (const n of [5, 6]) bus.publish('state.a', bytes(n));
  open();
  while (warnings.length < 2) await turn();
  bus.publish('state.a', bytes(7));
  while (got.length < 5) await turn();
  t.strictSame(got, [1, 2, 3, 4, 7]);
  t.strictSame(fast, [1, 2, 3, 4, 5, 6, 7], 'its neighbour loses nothing');
  t.match(warnings, [{ details: { queueMax: 3 } }, { details: { nDropped: 2 } }]);
});

t.test('the memory of ids is bounded: the oldest is forgotten first', async (t) => {
  const { bus } = setUp(t, { duplicateIdsMax: 2 });
  const got: string[] = [];
  await bus.subscribe('events.c', (_, payload) => {
    got.push(String(payload[0]));
  });
  const publish = (n: number) => bus.publishEvents([{ id: `e${n}`, subject: 'events.c', payload: bytes(n) }]);
  for (const n of [1, 2, 2, 3, 3, 1]) await publish(n);
  while (got.length < 4) await turn();
  t.strictSame(got, ['1', '2', '3', '1']);
});

t.test('closing waits for the handler that runs and drops what waits', async (t) => {
  const { bus } = setUp(t);
  const steps: string[] = [];
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  await bus.subscribe('state.a', async (_, payload) => {
    steps.push(`start ${payload[0]}`);
    await gate;
    steps.push(`end ${payload[0]}`);
  });
  bus.publish('state.a', bytes(1));
  bus.publish('state.a', bytes(2));
  await turn();
  await turn();
  const closed = bus.close().then(() => steps.push('closed'));
  open();
  await closed;
  t.strictSame(steps, ['start 1', 'end 1', 'closed']);
});
