import { ApiError } from '@bandit/contracts';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { addItemRoutes, nowMs, openServer } from './test-server.ts';

type Inject = Awaited<ReturnType<Awaited<ReturnType<typeof openServer>>['inject']>>;

/** The failure envelope, exactly: no data, no other field. */
function isFailure(t: Test, answer: Inject, status: number, code: string, sentence?: RegExp): void {
  const body = answer.json() as Record<string, unknown>;
  t.equal(answer.statusCode, status, `status of ${code}`);
  t.equal(body.code, code);
  t.equal(body.success, false);
  t.equal(body.timestamp, new Date(nowMs).toISOString());
  t.strictSame(
    Object.keys(body).filter((key) => key !== 'details'),
    ['success', 'error', 'code', 'timestamp'],
  );
  t.match(answer.headers, {
    'content-type': 'application/json; charset=utf-8',
    'x-content-type-options': 'nosniff',
  });
  t.match(answer.headers['x-request-id'], /\S/);
  if (sentence !== undefined) t.match(body.error, sentence);
}

const json = { 'content-type': 'application/json' };

t.test('framework errors are the envelope', async (t) => {
  const app = await openServer();
  t.teardown(() => app.close());
  addItemRoutes(app);
  const post = (payload: string | Buffer, headers: Record<string, string> = json) =>
    app.inject({ method: 'POST', url: '/items', payload, headers });

  isFailure(t, await app.inject('/nowhere?x=1'), 404, 'ROUTE_NOT_FOUND', /no route GET \/nowhere;/);
  isFailure(t, await app.inject({ method: 'DELETE', url: '/items' }), 404, 'ROUTE_NOT_FOUND');
  isFailure(t, await app.inject({ method: 'OPTIONS', url: '/items' }), 404, 'ROUTE_NOT_FOUND');
  isFailure(t, await app.inject('/items/%zz'), 400, 'MALFORMED_REQUEST');
  isFailure(t, await app.inject(`/items/${'x'.repeat(20_000)}`), 400, 'MALFORMED_REQUEST');
  for (const query of ['x=%FF', 'x=%', 'x=1&%ED%A0%80=1']) {
    isFailure(t, await app.inject(`/items/a?${query}`), 400, 'MALFORMED_REQUEST', /query string/);
  }
  isFailure(t, await post('{"name":'), 400, 'MALFORMED_JSON', /^body is not JSON/);
  isFailure(t, await post('['.repeat(5_000) + ']'.repeat(5_000)), 400, 'MALFORMED_JSON', /deeper than 16/);
  isFailure(t, await post('{"__proto__":{"name":"x"}}'), 400, 'MALFORMED_JSON');
  isFailure(t, await post('{"name":"\\u0000"}'), 400, 'MALFORMED_JSON');
  isFailure(t, await post('{"name":"a","value":1e400}'), 400, 'MALFORMED_JSON');
  isFailure(t, await post('', json), 400, 'VALIDATION_ERROR', /^body must be an object, got nothing$/);
  isFailure(t, await app.inject({ method: 'POST', url: '/items' }), 400, 'VALIDATION_ERROR', /got nothing$/);
  isFailure(t, await post(Buffer.alloc(1_048_577, ' ')), 413, 'BODY_TOO_LARGE');
  const ok = await post('{"name":"a"}');
  t.equal(ok.statusCode, 201);
  t.strictSame(ok.json(), { success: true, data: { name: 'a' }, timestamp: new Date(nowMs).toISOString() });
});

t.test('only plain JSON in UTF-8 is taken', async (t) => {
  const app = await openServer();
  t.teardown(() => app.close());
  addItemRoutes(app);
  const post = (contentType: string | undefined, more: Record<string, string> = {}) =>
    app.inject({
      method: 'POST',
      url: '/items',
      payload: Buffer.from('{"name":"a"}'),
      headers: { ...(contentType === undefined ? {} : { 'content-type': contentType }), ...more },
    });
  for (const good of [
    'application/json',
    'Application/JSON',
    'application/json; charset=utf-8',
    'application/json;charset="UTF-8"',
  ]) {
    t.equal((await post(good)).statusCode, 201, good);
  }
  const tricks = [
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/jsonx',
    'application/json; charset=utf-16',
    'application/json garbage',
    'application/json;',
    'application/json\t',
    ' application/json',
    'application/json; charset=utf-8; x=y',
    'application/json, text/plain',
    'application/vnd.api+json',
    'application/json;charset="utf-8',
    '',
  ];
  for (const trick of tricks) isFailure(t, await post(trick), 415, 'UNSUPPORTED_MEDIA_TYPE');
  for (const coding of ['gzip', 'br', 'deflate', 'identity, gzip', 'x']) {
    isFailure(
      t,
      await post('application/json', { 'content-encoding': coding }),
      415,
      'UNSUPPORTED_MEDIA_TYPE',
      /identity/,
    );
  }
  t.equal((await post('application/json', { 'content-encoding': 'identity' })).statusCode, 201);
});

t.test(
  'a bad field is named with what it was and what is allowed, and nothing is coerced or stripped',
  async (t) => {
    const app = await openServer();
    t.teardown(() => app.close());
    addItemRoutes(app);
    const cases: [unknown, RegExp][] = [
      [{}, /^name is required$/],
      [{ name: 5 }, /^name must be a string, got 5$/],
      [{ name: 'a', value: '5' }, /^value must be a number, got "5"$/],
      [{ name: 'a', value: 11 }, /^value must be <= 10, got 11$/],
      [{ name: 'a', value: true }, /^value must be a number, got true$/],
      [{ name: 'a', extra: 1 }, /^extra is not a known field; allowed are name, value, kind/],
      [{ name: '' }, /^name must be at least 1 character long, got ""$/],
      [{ name: ' ' }, /^name must be not blank, got " "$/],
      [{ name: 'abcdef' }, /^name must be at most 5 characters long, got "abcdef"$/],
      [{ name: 'a', kind: 'c' }, /^kind must be one of a, b, got "c"$/],
      [
        { name: 'a', at: '2026-02-30T00:00:00Z' },
        /^at must be an ISO 8601 instant such as .*, got "2026-02-30T00:00:00Z"$/,
      ],
      [{ name: 'a', at: 5 }, /^at must be a string or a null, got 5$/],
      [{ name: 'a', tags: ['x', 'x'] }, /^tags must be free of duplicates, got an array of 2$/],
      [{ name: 'a', tags: ['x', 1] }, /^tags\.1 must be a string, got 1$/],
      [
        { name: 'a', context: { a: null } },
        /^context\.a must be a string, a number or a boolean .*, got null$/,
      ],
      [
        { name: 'a', context: { 'a\nb': { deep: 1 } } },
        /must be a string, a number or a boolean .*, got an object with 1 keys$/,
      ],
      [
        { name: 'a', context: { abcdef: 1 } },
        /^context has a key that is not allowed: "abcdef", allowed are keys of 1 to 5 characters$/,
      ],
      [{ name: 'a', context: { '': 1 } }, /^context has a key that is not allowed: "", allowed/],
      [
        { name: 'a', context: { a: 1, b: 1, c: 1 } },
        /^context must be at most 2 keys, got an object with 3 keys$/,
      ],
      [{ name: 'x'.repeat(500) }, /got "x{79}… \(500 characters\)$/],
      [[], /^body must be an object, got an array of 0$/],
      ['a', /^body must be an object, got "a"$/],
      [null, /^body must be an object, got nothing$/],
    ];
    for (const [payload, sentence] of cases) {
      const answer = await app.inject({
        method: 'POST',
        url: '/items',
        payload: JSON.stringify(payload),
        headers: json,
      });
      isFailure(t, answer, 400, 'VALIDATION_ERROR', sentence);
    }
  },
);

t.test('a query string gives integers, and only plain ones', async (t) => {
  const app = await openServer();
  t.teardown(() => app.close());
  addItemRoutes(app);
  const get = (query: string) => app.inject(`/items/a?${query}`);
  t.strictSame((await get('limit=10')).json(), { id: 'a', limit: 10 });
  t.strictSame((await get('word=10')).json(), { id: 'a', word: '10' }, 'text stays text');
  for (const bad of [
    'limit=0',
    'limit=101',
    'limit=1e1',
    'limit=+5',
    'limit=%205',
    'limit=5.0',
    'limit=0x5',
    'limit=',
    'limit=5&limit=6',
    'limit=abc',
    'offset=1',
    'limit[]=5',
  ]) {
    isFailure(t, await get(bad), 400, 'VALIDATION_ERROR');
  }
  isFailure(t, await get('word=a%00b'), 400, 'VALIDATION_ERROR', /^word holds the character/);
  isFailure(t, await get('word=a&word=%00'), 400, 'VALIDATION_ERROR');
  t.strictSame(
    (await app.inject('/items/a%00b')).json(),
    { id: 'a\ufffdb' },
    'in a path it makes an id that nothing has',
  );
});

t.test('a route without a body takes none, or {}', async (t) => {
  const app = await openServer();
  t.teardown(() => app.close());
  addItemRoutes(app);
  const post = (payload?: string) =>
    app.inject({
      method: 'POST',
      url: '/items/a/refresh',
      ...(payload === undefined ? {} : { payload, headers: json }),
    });
  for (const good of [undefined, '', '{}']) t.equal((await post(good)).statusCode, 200, String(good));
  isFailure(t, await post('{"force":true}'), 400, 'VALIDATION_ERROR', /got the field "force"$/);
  isFailure(t, await post('[]'), 400, 'VALIDATION_ERROR', /got another JSON value$/);
});

t.test('errors of handlers: coded ones as they are, all else one fixed sentence', async (t) => {
  const app = await openServer();
  t.teardown(() => app.close());
  const thrown: Record<string, unknown> = {
    coded: new ApiError('DUPLICATE_EVENT', 'event evt_1 exists', { details: { eventId: 'evt_1' } }),
    away: new ApiError('STORE_UNAVAILABLE', 'the database is away: try again'),
    sql: Object.assign(new Error('duplicate key violates "secret_index"'), {
      code: '23505',
      statusCode: 400,
    }),
    text: 'a string',
    nothing: undefined,
  };
  for (const name of Object.keys(thrown)) {
    app.get(`/${name}`, { schema: { operationId: name } }, async () => {
      throw thrown[name];
    });
    app.get(`/sync-${name}`, { schema: { operationId: `sync${name}` } }, () => {
      throw thrown[name];
    });
  }
  const coded = await app.inject('/coded');
  isFailure(t, coded, 409, 'DUPLICATE_EVENT', /^event evt_1 exists$/);
  t.strictSame(coded.json().details, { eventId: 'evt_1' });
  const away = await app.inject('/sync-away');
  isFailure(t, away, 503, 'STORE_UNAVAILABLE');
  t.equal(away.headers['retry-after'], '1');
  for (const name of ['sql', 'sync-sql', 'text', 'sync-text', 'sync-nothing']) {
    const answer = await app.inject(`/${name}`);
    isFailure(t, answer, 500, 'INTERNAL_ERROR', /^something went wrong on our side/);
    t.notMatch(answer.body, /secret_index|a string/);
  }
});

t.test('an answer is written whole: every key of a record, details, and nullable fields', async (t) => {
  const app = await openServer();
  t.teardown(() => app.close());
  addItemRoutes(app);
  const bodies = [
    { name: 'a', metadata: { 'a\nb': 1, '': { deep: [null, { x: '\u2028' }] }, constructor: 'acme' } },
    { name: 'a', at: null, context: { 'k\n': true } },
    { name: 'a', at: '2026-01-15T10:00:00.000Z', value: 0 },
  ];
  for (const body of bodies) {
    const answer = await app.inject({
      method: 'POST',
      url: '/items',
      payload: JSON.stringify(body),
      headers: json,
    });
    t.strictSame(answer.json().data, JSON.parse(JSON.stringify(body)));
  }
});

t.test('a request keeps its own well-formed id; any other gets one', async (t) => {
  const app = await openServer();
  t.teardown(() => app.close());
  const ask = async (id?: string) =>
    (await app.inject({ url: '/x', headers: id === undefined ? {} : { 'x-request-id': id } })).headers[
      'x-request-id'
    ];
  t.equal(await ask('abc-1.2_Z'), 'abc-1.2_Z');
  for (const bad of [undefined, '', 'a b', 'a'.repeat(129), 'a\u00e9', '<script>'])
    t.match(await ask(bad), /^req-\d+$/);
});

t.test('HEAD is no route of its own, and CORS is off unless origins are named', async (t) => {
  const app = await openServer();
  t.teardown(() => app.close());
  addItemRoutes(app);
  const head = await app.inject({ method: 'HEAD', url: '/items/a' });
  t.equal(head.statusCode, 404);
  const plain = await app.inject({ url: '/items/a', headers: { origin: 'https://shop.example' } });
  t.equal(plain.headers['access-control-allow-origin'], undefined);

  const open = await openServer({ corsOrigins: ['https://shop.example'], isProduction: true });
  t.teardown(() => open.close());
  addItemRoutes(open);
  const allowed = await open.inject({ url: '/items/a', headers: { origin: 'https://shop.example' } });
  t.equal(allowed.headers['access-control-allow-origin'], 'https://shop.example');
  t.match(allowed.headers['strict-transport-security'], /max-age=31536000/);
  const other = await open.inject({ url: '/items/a', headers: { origin: 'https://evil.example' } });
  t.not(other.headers['access-control-allow-origin'], 'https://evil.example');
});

t.test('whatever is sent, the answer is the envelope and never a 5xx', async (t) => {
  const app = await openServer();
  t.teardown(() => app.close());
  addItemRoutes(app);
  const seed = 4711;
  t.comment(`seed ${seed}`);
  const bit = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    '"name"',
    ':',
    ',',
    '"a"',
    '1',
    '1e999',
    '\\u0000',
    '"\\ud800"',
    '__proto__',
    'null',
    ' ',
  );
  const payload = fc.oneof(
    fc.jsonValue().map((value) => JSON.stringify(value)),
    fc
      .record({ name: fc.jsonValue(), value: fc.jsonValue(), context: fc.jsonValue() }, { requiredKeys: [] })
      .map((value) => JSON.stringify(value)),
    fc.array(bit, { maxLength: 30 }).map((bits) => bits.join('')),
  );
  const contentType = fc.oneof(
    { weight: 5, arbitrary: fc.constant('application/json') },
    fc.string({ minLength: 1, maxLength: 20 }).filter((text) => /^[\x21-\x7e]+$/.test(text)),
  );
  const path = fc.constantFrom(
    '/items',
    '/items/%00',
    '/items/a?limit=%00',
    '/items/a?limit=9',
    '/items/a/refresh',
    '/items/%ff',
    '/%',
    '/items/a?__proto__=1',
    '//',
  );
  const method = fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'PATCH');
  await fc.assert(
    fc.asyncProperty(method, path, payload, contentType, async (verb, url, body, type) => {
      const answer = await app.inject({
        method: verb as 'GET',
        url,
        payload: body,
        headers: { 'content-type': type },
      });
      if (answer.statusCode >= 500) return false;
      if (verb === 'HEAD' || answer.statusCode < 300) return true;
      const envelope = answer.json();
      return (
        envelope.success === false && typeof envelope.error === 'string' && typeof envelope.code === 'string'
      );
    }),
    { seed, numRuns: 1_500 },
  );
});
