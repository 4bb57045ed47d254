/** A trace crosses the bus. The propagator and the context manager here stand for an SDK's. */
import { context, propagation, ROOT_CONTEXT, TraceFlags, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { connect } from 'nats';
import t from 'tap';
import { createInProcessBus } from '../../src/index.ts';
import { until } from '../until.ts';
import { collectLog, findNats, prepareBuses, readStream, reportMissing } from './shared-nats.ts';

context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
propagation.setGlobalPropagator(new W3CTraceContextPropagator());

const nothing = new Uint8Array(0);
const traceOfA = '0af7651916cd43dd8448eb211c80319c';
const traceOfB = '1bf7651916cd43dd8448eb211c80319c';
const inTrace = <T>(traceId: string, work: () => T): T => {
  const span = { traceId, spanId: 'b7ad6b7169203331', traceFlags: TraceFlags.SAMPLED };
  return context.with(trace.setSpanContext(ROOT_CONTEXT, span), work);
};
const traceNow = () => trace.getSpanContext(context.active())?.traceId;

t.test('in process each handler runs in the trace of its message', async (t) => {
  const bus = createInProcessBus({ log: collectLog().log });
  t.teardown(() => bus.close());
  const heard: (string | undefined)[] = [];
  await bus.subscribe('state.*', () => void heard.push(traceNow()));
  inTrace(traceOfA, () => bus.publish('state.a', nothing));
  inTrace(traceOfB, () => bus.publish('state.b', nothing));
  bus.publish('state.c', nothing);
  await until(() => heard.length === 3, 'three messages');
  t.strictSame(heard, [traceOfA, traceOfB, undefined]);
});

const url = await findNats(t);
if (url === undefined) reportMissing(t);
else
  t.test('on NATS a trace crosses a broadcast, a request and the headers of an event', async (t) => {
    const { open, prefix } = prepareBuses(t, url);
    const [sender, receiver] = [open(), open()];
    await until(() => sender.bus.isConnected() && receiver.bus.isConnected(), 'the connections');
    const heard: (string | undefined)[] = [];
    await receiver.bus.subscribe('state.*', () => void heard.push(traceNow()));
    await receiver.bus.respond('learner.refresh', async (payload) => {
      heard.push(traceNow());
      return payload;
    });
    const raw = await connect({ servers: new URL(url).host });
    t.teardown(() => raw.close());
    const hasHeaders: boolean[] = [];
    raw.subscribe(`${prefix}.state.*`, {
      callback: (_, message) => void hasHeaders.push(message.headers !== undefined),
    });
    await raw.flush();

    inTrace(traceOfA, () => sender.bus.publish('state.a', nothing));
    inTrace(traceOfB, () => sender.bus.publish('state.b', nothing));
    sender.bus.publish('state.c', nothing);
    await until(() => heard.length === 3 && hasHeaders.length === 3, 'three broadcasts');
    t.strictSame(heard, [traceOfA, traceOfB, undefined]);
    t.strictSame(hasHeaders, [true, true, false], 'no headers without a trace');
    await inTrace(traceOfA, () => sender.bus.request('learner.refresh', nothing, 5_000));
    t.equal(heard.at(-1), traceOfA);

    const events = [{ id: 'e1', subject: 'events.c', payload: nothing }];
    await inTrace(traceOfA, () => sender.bus.publishEvents(events));
    const [stored] = await readStream(url, `${prefix}_EVENTS`);
    t.equal(stored?.header('traceparent'), `00-${traceOfA}-b7ad6b7169203331-01`);
    t.equal(stored?.header('Nats-Msg-Id'), 'e1');
  });
