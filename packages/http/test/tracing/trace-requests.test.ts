import { request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { ApiError } from '@bandit/contracts';
import { context, propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { Registry } from 'prom-client';
import t from 'tap';
import { isTracing, registerHealth, spanAround, traceFields } from '../../src/index.ts';
import { addItemRoutes, openServer } from '../test-server.ts';
import { parentId, recordSpans, traceId, traceparent } from './record-spans.ts';

const takeSpans = recordSpans();
const headers = { traceparent };

/** A handler that waits for something, asks for the active span, and makes one of its own. */
async function openTraced() {
  const app = await openServer();
  addItemRoutes(app);
  const active: (string | undefined)[] = [];
  app.post('/waits', { schema: { operationId: 'waits', body: {} } }, async () => {
    await setImmediate();
    active.push(trace.getActiveSpan()?.spanContext().spanId);
    return spanAround('a wait', async () => {
      await setImmediate();
      const carrier: Record<string, string> = {};
      propagation.inject(context.active(), carrier);
      return { ...traceFields(), sent: carrier.traceparent };
    });
  });
  app.get('/fails', { schema: { operationId: 'fails' } }, async () => {
    await spanAround('a failing wait', () => Promise.reject(new RangeError('of user alice')));
  });
  app.get('/away', { schema: { operationId: 'away' } }, () => {
    throw new ApiError('STORE_UNAVAILABLE', 'away');
  });
  return { app, active };
}

t.test('a request is a server span under the caller of its traceparent', async (t) => {
  const { app } = await openTraced();
  t.teardown(() => app.close());
  takeSpans();
  await app.inject({ url: '/items/user_secret?limit=5', headers: { ...headers, 'x-request-id': 'req-7' } });
  const [span, ...others] = takeSpans();
  t.strictSame(others, []);
  t.match(span, { name: 'GET /items/:id', kind: SpanKind.SERVER });
  t.equal(span?.spanContext().traceId, traceId);
  t.equal(span?.parentSpanContext?.spanId, parentId);
  t.strictSame(
    span?.attributes,
    {
      'http.request.method': 'GET',
      'http.route': '/items/:id',
      'bandit.request_id': 'req-7',
      'http.response.status_code': 200,
    },
    'no path, no query',
  );
  t.equal(span?.status.code, SpanStatusCode.UNSET);
});

t.test('without a traceparent, or with a broken one, a trace begins', async (t) => {
  const { app } = await openTraced();
  t.teardown(() => app.close());
  for (const one of [
    {},
    { traceparent: 'garbage' },
    { traceparent: `00-${'0'.repeat(32)}-${parentId}-01` },
  ]) {
    takeSpans();
    t.equal((await app.inject({ url: '/items/a', headers: one })).statusCode, 200);
    const [span] = takeSpans();
    t.match(span?.spanContext().traceId, /^[0-9a-f]{32}$/);
    t.equal(span?.parentSpanContext, undefined);
  }
});

t.test('the context lasts over a body, awaits and nested spans, for each of many at once', async (t) => {
  const { app, active } = await openTraced();
  t.teardown(() => app.close());
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  takeSpans();
  const traceIds = Array.from({ length: 20 }, (_, i) => traceId.slice(0, 30) + String(10 + i));
  const answers = await Promise.all(
    traceIds.map(async (id) => {
      const answer = await fetch(`http://127.0.0.1:${port}/waits`, {
        method: 'POST',
        headers: { traceparent: `00-${id}-${parentId}-01`, 'content-type': 'application/json' },
        body: JSON.stringify({ filler: 'x'.repeat(100_000) }),
      });
      return (await answer.json()) as { trace_id: string; span_id: string; sent: string };
    }),
  );
  const spans = takeSpans();
  t.equal(spans.length, 40);
  answers.forEach((answer, i) => {
    t.equal(answer.trace_id, traceIds[i]);
    const inner = spans.find((span) => span.spanContext().spanId === answer.span_id);
    const outer = spans.find((span) => span.spanContext().spanId === inner?.parentSpanContext?.spanId);
    t.match([inner?.name, outer?.name], ['a wait', 'POST /waits']);
    t.equal(outer?.spanContext().traceId, traceIds[i]);
    t.ok(active.includes(outer?.spanContext().spanId), 'active in the handler');
    t.equal(answer.sent, `00-${traceIds[i]}-${answer.span_id}-01`, 'what goes on to NATS');
  });
});

t.test('a 5xx is an error, a 4xx is not, and neither tells a message', async (t) => {
  const { app } = await openTraced();
  t.teardown(() => app.close());
  const spanOf = async (url: string) => {
    takeSpans();
    await app.inject({ url, headers });
    return takeSpans().find((span) => span.kind === SpanKind.SERVER);
  };
  t.match(await spanOf('/fails'), {
    status: { code: SpanStatusCode.ERROR },
    attributes: { 'error.type': '500' },
  });
  t.match(await spanOf('/away'), {
    status: { code: SpanStatusCode.ERROR },
    attributes: { 'error.type': '503' },
  });
  t.match(await spanOf('/items/a?limit=0'), {
    status: { code: SpanStatusCode.UNSET },
    attributes: { 'http.response.status_code': 400 },
  });
  const unknown = await spanOf('/users/alice');
  t.equal(unknown?.name, 'GET', 'no route, no path');
  takeSpans();
  await app.inject({ url: '/fails', headers });
  const spans = takeSpans();
  t.match(
    spans.find((span) => span.name === 'a failing wait'),
    { status: { code: SpanStatusCode.ERROR }, attributes: { 'error.type': 'RangeError' } },
  );
  t.notMatch(
    JSON.stringify(spans.map(({ attributes, events, status }) => [attributes, events, status])),
    /alice/,
  );
});

t.test('a client that goes away ends its span', async (t) => {
  const app = await openServer();
  t.teardown(() => app.close());
  const started = Promise.withResolvers<void>();
  app.get('/hangs', { schema: { operationId: 'hangs' } }, () => {
    started.resolve();
    return new Promise(() => undefined);
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const closed = new Promise((resolve) => {
    app.server.once('connection', (socket) => socket.once('close', resolve));
  });
  takeSpans();
  const client = httpRequest({ port, host: '127.0.0.1', path: '/hangs', headers });
  client.on('error', () => undefined);
  client.end();
  await started.promise;
  client.destroy();
  await closed;
  await setImmediate();
  t.match(takeSpans(), [{ name: 'GET /hangs', attributes: { 'error.type': 'connection_closed' } }]);
});

t.test('health and metrics make no spans', async (t) => {
  const app = await openServer();
  t.teardown(() => app.close());
  registerHealth(app as never, { checks: {}, isDraining: () => false, registry: new Registry() });
  takeSpans();
  for (const url of ['/livez', '/readyz', '/metrics']) t.equal((await app.inject(url)).statusCode, 200);
  t.strictSame(takeSpans(), []);
  t.equal(isTracing(), true);
});

t.test('under a span of an HTTP instrumentation there is no second server span', async (t) => {
  const { app } = await openTraced();
  t.teardown(() => app.close());
  takeSpans();
  await trace.getTracer('test').startActiveSpan('GET', { kind: SpanKind.SERVER }, async (outer) => {
    await app.inject({ url: '/items/a', headers });
    outer.end();
  });
  const [inner, outer] = takeSpans();
  t.match(inner, { name: 'GET /items/:id', kind: SpanKind.INTERNAL });
  t.equal(inner?.parentSpanContext?.spanId, outer?.spanContext().spanId);
});
