import { Writable } from 'node:stream';
import { ApiError, limits } from '@bandit/contracts';
import { type LoggerOptions, pino } from 'pino';
import t from 'tap';
import { describeError } from '../src/index.ts';
import { nowMs, openServer } from './test-server.ts';
import { recordSpans, traceId, traceparent } from './tracing/record-spans.ts';

interface Line {
  readonly level: number;
  readonly reqId?: string;
  readonly [field: string]: unknown;
}

/** Everything that a server writes, down to the last level. */
async function openLogged(options: LoggerOptions = {}) {
  const lines: Line[] = [];
  const stream = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      lines.push(JSON.parse(chunk.toString()) as Line);
      done();
    },
  });
  const app = await openServer({ logger: pino({ level: 'trace', base: null, ...options }, stream) });
  return { app, lines, text: () => JSON.stringify(lines) };
}

const secrets = {
  key: 'bk_live_topsecret',
  cookie: 'next-auth.session-token=topsecret',
  email: 'alice@example.com',
  userId: 'user_topsecret',
};

t.test('a request that fails is one line, and nothing that it brought is in it', async (t) => {
  const { app, lines, text } = await openLogged();
  t.teardown(() => app.close());
  const failures: Record<string, (body: Record<string, unknown>) => never> = {
    parse: () => JSON.parse(`{"userId":"${secrets.userId}"`) as never,
    statement: ({ userId }) => {
      throw Object.assign(new Error(`invalid input syntax for type integer: "${userId}"`), {
        code: '22P02',
        detail: `Key (email)=(${secrets.email}) already exists.`,
        where: secrets.userId,
        parameters: [secrets.key],
        table: 'events',
        constraint: 'events_pkey',
      });
    },
    address: () => {
      throw new Error('no connection', {
        cause: new Error(`connect postgres://user:${secrets.key}@host:5432/db for ${secrets.email}`),
      });
    },
    text: () => {
      throw secrets.userId;
    },
    body: (body) => {
      throw Object.assign(new TypeError('Cannot read properties of undefined'), { body, headers: secrets });
    },
    away: () => {
      throw new ApiError('STORE_UNAVAILABLE', 'the store is away', { cause: new Error('ECONNREFUSED') });
    },
  };
  for (const [name, run] of Object.entries(failures)) {
    app.post(`/fails/${name}/:id`, { schema: { operationId: name, body: {} } }, async (request) =>
      run(request.body as Record<string, unknown>),
    );
  }
  for (const name of Object.keys(failures)) {
    lines.length = 0;
    const answer = await app.inject({
      method: 'POST',
      url: `/fails/${name}/${secrets.userId}?email=${secrets.email}&key=${secrets.key}`,
      headers: {
        authorization: `Bearer ${secrets.key}`,
        cookie: secrets.cookie,
        'x-user-email': secrets.email,
      },
      payload: { userId: secrets.userId, metadata: { email: secrets.email } },
    });
    const isAway = name === 'away';
    t.equal(answer.statusCode, isAway ? 503 : 500);
    t.equal(lines.length, 1, `${name}: one line`);
    t.match(lines[0], {
      level: isAway ? 40 : 50,
      reqId: answer.headers['x-request-id'],
      method: 'POST',
      route: `/fails/${name}/:id`,
      status: answer.statusCode,
      code: isAway ? 'STORE_UNAVAILABLE' : 'INTERNAL_ERROR',
      msg: 'request failed',
    });
    t.notMatch(text(), /topsecret|alice|example\.com/, `${name}: nothing of the request`);
    t.equal(lines[0]?.trace_id, undefined, 'no trace, no ids');
  }
  lines.length = 0;
  await app.inject({ method: 'POST', url: `/nowhere/${secrets.userId}`, payload: { a: secrets.email } });
  await app.inject({ url: '/fails/%zz?a=topsecret' });
  t.strictSame(lines, [], 'what a caller does wrong is not logged');
});

t.test("the framework's own lines tell no URL", async (t) => {
  const { app, lines, text } = await openLogged();
  t.teardown(() => app.close());
  app.get('/twice', { schema: { operationId: 'twice' } }, async (_request, reply) => {
    await reply.send({ first: true });
    return { second: true };
  });
  const late = Promise.withResolvers<void>();
  app.get('/late', { schema: { operationId: 'late' } }, async (_request, reply) => {
    await reply.send({ first: true });
    late.resolve();
    throw new Error(`"${secrets.userId}" came late`);
  });
  await app.inject(`/twice?userId=${secrets.userId}`);
  await app.inject(`/late?userId=${secrets.userId}`);
  await late.promise;
  t.ok(lines.length > 0, 'it does write some');
  t.notMatch(text(), /topsecret/);
});

t.test('past some lines a second refusals are only counted, our own mistakes never', async (t) => {
  const { app, lines } = await openLogged();
  t.teardown(() => app.close());
  app.get('/away', { schema: { operationId: 'away' } }, () => {
    throw new ApiError('OVERLOADED', 'too much');
  });
  app.get('/breaks', { schema: { operationId: 'breaks' } }, () => {
    throw new Error('ours');
  });
  for (let i = 0; i < limits.failureLogLinesPerSecond + 20; i++) await app.inject('/away');
  t.equal(lines.length, limits.failureLogLinesPerSecond, `the clock stands at ${nowMs}`);
  await app.inject('/breaks');
  t.equal(lines.length, limits.failureLogLinesPerSecond + 1);
});

t.test('an error keeps its kind, its place and its causes', (t) => {
  const error = new TypeError('outer', { cause: new RangeError('inner') });
  const described = describeError(error);
  t.match(described, {
    type: 'TypeError',
    message: 'outer',
    cause: { type: 'RangeError', message: 'inner' },
  });
  t.match(described.stack, /request-log\.test\.ts/);
  t.notMatch(described.stack, /outer/, 'the calls alone');
  t.strictSame(describeError('x'), { type: 'string', message: 'not an Error' });
  const looped = new Error('a') as Error & { cause: unknown };
  looped.cause = looped;
  t.ok(JSON.stringify(describeError(looped)).length < 20_000, 'a cause of itself ends');
  t.end();
});

t.test('within a trace the line names it', async (t) => {
  recordSpans();
  const { app, lines } = await openLogged();
  t.teardown(() => app.close());
  app.get('/breaks', { schema: { operationId: 'breaks' } }, async () => {
    throw new Error('ours');
  });
  await app.inject({ url: '/breaks', headers: { traceparent } });
  t.match(lines, [{ trace_id: traceId, span_id: /^[0-9a-f]{16}$/, reqId: 'req-1' }]);
});

t.test('a logger that describes errors itself keeps what is known of them', async (t) => {
  const { app, lines } = await openLogged({ serializers: { err: describeError } });
  t.teardown(() => app.close());
  app.get('/broken', { schema: { operationId: 'broken' } }, () => {
    throw new TypeError('no such thing', { cause: new Error('the reason') });
  });
  t.equal((await app.inject('/broken')).statusCode, 500);
  const line = lines.find(({ msg }) => msg === 'request failed');
  t.match(line?.err, {
    type: 'TypeError',
    message: 'no such thing',
    stack: / at /,
    cause: { message: 'the reason' },
  });
});
