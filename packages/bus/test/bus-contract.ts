/** What every implementation of the bus port promises. Each adapter's test runs it against its own bus. */
import type { Bus, StreamRecord } from '@bandit/contracts';
import type { Test } from 'tap';

export interface BusUnderTest {
  /** A further connection to the same bus; in process it is the same object. */
  connect(): Promise<Bus>;
  /** Errors that the adapter logged, oldest first. */
  readonly errors: readonly string[];
  /** `subject=payload` of the events that were stored, oldest first. */
  readEvents(): Promise<string[]>;
}

const encode = (text: string) => new TextEncoder().encode(text);
const decode = (payload: Uint8Array) => new TextDecoder().decode(payload);

/** A subscriber that notes what it gets; `until(n)` resolves once it has n messages. */
async function listen(bus: Bus, subject: string) {
  const got: string[] = [];
  let wake: () => void = () => undefined;
  const subscription = await bus.subscribe(subject, (from, payload) => {
    got.push(`${from}=${decode(payload)}`);
    wake();
  });
  const until = async (n: number) => {
    while (got.length < n) {
      const { promise, resolve } = Promise.withResolvers<void>();
      wake = resolve;
      await promise;
    }
    return got;
  };
  return { got, until, close: () => subscription.close() };
}

export async function testBusContract(t: Test, setUp: (t: Test) => Promise<BusUnderTest>): Promise<void> {
  await t.test(
    'a broadcast reaches every subscriber of its subject, in order, in a later turn',
    async (t: Test) => {
      const { connect } = await setUp(t);
      const [sender, receiver] = [await connect(), await connect()];
      const one = await listen(receiver, 'state.a');
      const two = await listen(receiver, 'state.a');
      const other = await listen(receiver, 'state.b');
      for (let i = 0; i < 100; i += 1) sender.publish('state.a', encode(`${i}`));
      t.strictSame(one.got, [], 'nothing is delivered inside publish');
      sender.publish('state.b', encode('last'));
      const expected = Array.from({ length: 100 }, (_, i) => `state.a=${i}`);
      t.strictSame(await one.until(100), expected);
      t.strictSame(await two.until(100), expected);
      t.strictSame(await other.until(1), ['state.b=last']);
    },
  );

  await t.test('a star stands for exactly one token at the end', async (t: Test) => {
    const { connect } = await setUp(t);
    const bus = await connect();
    const all = await listen(bus, 'state.*');
    const last = await listen(bus, 'done');
    for (const subject of ['state.a', 'other.a', 'state.a.b', 'state', 'state.c', 'done'])
      bus.publish(subject, encode(''));
    await last.until(1);
    t.strictSame(await all.until(2), ['state.a=', 'state.c=']);
  });

  await t.test('a closed subscription gets nothing more', async (t: Test) => {
    const { connect } = await setUp(t);
    const bus = await connect();
    const left = await listen(bus, 'wake.*');
    const stays = await listen(bus, 'wake.1');
    bus.publish('wake.1', encode('1'));
    await left.until(1);
    await left.close();
    bus.publish('wake.1', encode('2'));
    await stays.until(2);
    t.strictSame(left.got, ['wake.1=1']);
  });

  await t.test('a handler that throws is logged and hears the next message', async (t: Test) => {
    const { connect, errors } = await setUp(t);
    const bus = await connect();
    const { promise: heardBoth, resolve } = Promise.withResolvers<void>();
    let nHeard = 0;
    await bus.subscribe('config.c', async () => {
      nHeard += 1;
      if (nHeard === 1) throw new Error('handler');
      resolve();
    });
    bus.publish('config.c', encode('1'));
    bus.publish('config.c', encode('2'));
    await heardBoth;
    t.equal(errors.length, 1);
  });

  await t.test('a request is answered by one of the responders', async (t: Test) => {
    const { connect } = await setUp(t);
    const [asker, one, two] = [await connect(), await connect(), await connect()];
    const answered = { one: 0, two: 0 };
    const answer = (name: 'one' | 'two') => async (payload: Uint8Array) => {
      answered[name] += 1;
      return encode(`${decode(payload)}!`);
    };
    await one.respond('learner.refresh', answer('one'));
    const second = await two.respond('learner.refresh', answer('two'));
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, i) => asker.request('learner.refresh', encode(`${i}`), 5_000)),
    );
    t.strictSame(
      answers.map(decode),
      Array.from({ length: 40 }, (_, i) => `${i}!`),
    );
    t.equal(answered.one + answered.two, 40);
    t.ok(answered.one > 0 && answered.two > 0, 'the work is shared');
    await second.close();
    const before = answered.two;
    for (let i = 0; i < 10; i += 1) await asker.request('learner.refresh', encode(''), 5_000);
    t.equal(answered.two, before, 'one that left gets nothing');
  });

  await t.test('a request that nobody answers ends', async (t: Test) => {
    const { connect, errors } = await setUp(t);
    const bus = await connect();
    await t.rejects(bus.request('learner.refresh', encode(''), 50), { code: 'BUS_TIMEOUT' }, 'no responder');
    await bus.respond('learner.refresh', () => new Promise(() => undefined));
    await t.rejects(
      bus.request('learner.refresh', encode(''), 50),
      { code: 'BUS_TIMEOUT' },
      'a slow responder',
    );
    await bus.respond('broken', async () => {
      throw new Error('responder');
    });
    await t.rejects(bus.request('broken', encode(''), 5_000), { code: 'BUS_RESPONDER_FAILED' });
    t.equal(errors.length, 1);
  });

  await t.test('events are stored in order, and a repeated id once', async (t: Test) => {
    const { connect, readEvents } = await setUp(t);
    const bus = await connect();
    const record = (id: string): StreamRecord => ({ id, subject: 'events.c', payload: encode(id) });
    await bus.publishEvents([record('e1'), record('e2'), record('e1')]);
    await bus.publishEvents([record('e2'), record('e3')]);
    await bus.publishEvents([]);
    const many = Array.from({ length: 1_000 }, (_, i) => record(`m${i}`));
    await bus.publishEvents(many);
    await bus.publishEvents([record('e4')]);
    const expected = ['e1', 'e2', 'e3', ...many.map(({ id }) => id), 'e4'].map((id) => `events.c=${id}`);
    t.strictSame(await readEvents(), expected);
  });

  await t.test('a malformed subject is a mistake of ours', async (t: Test) => {
    const { connect } = await setUp(t);
    const bus = await connect();
    for (const subject of ['', 'a..b', 'a b', '*.a', 'a.>'])
      await t.rejects(
        bus.subscribe(subject, () => undefined),
        /a subject is tokens joined by dots/,
        subject,
      );
    await t.rejects(
      bus.respond('a.*', async (payload) => payload),
      /a subject is tokens joined by dots/,
    );
  });

  await t.test('closing ends what waits; a closed bus says so and stays silent', async (t: Test) => {
    const { connect } = await setUp(t);
    const bus = await connect();
    t.ok(bus.isConnected());
    const events = await listen(bus, 'state.a');
    await bus.respond('never', () => new Promise(() => undefined));
    const waiting = bus.request('never', encode(''), 60_000);
    const refused = t.rejects(waiting, { code: 'BUS_UNAVAILABLE' });
    await bus.close();
    await refused;
    await bus.close();
    t.notOk(bus.isConnected());
    t.doesNotThrow(() => bus.publish('state.a', encode('late')));
    await t.rejects(bus.request('never', encode(''), 60_000), { code: 'BUS_UNAVAILABLE' });
    await t.rejects(bus.publishEvents([]), { code: 'BUS_UNAVAILABLE' });
    await t.rejects(
      bus.subscribe('state.a', () => undefined),
      { code: 'BUS_UNAVAILABLE' },
    );
    t.strictSame(events.got, []);
  });
}
