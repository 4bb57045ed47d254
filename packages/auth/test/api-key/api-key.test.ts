import { randomBytes } from 'node:crypto';
import type { ApiKeySnapshot } from '@bandit/contracts';
import { type ApiError, fail } from '@bandit/contracts';
import fc from 'fast-check';
import Fastify from 'fastify';
import t, { type Test } from 'tap';
import { createApiKeyGuard, getPrincipal, makeApiKey, parseApiKey } from '../../src/index.ts';

const nowMs = 1_768_471_200_000;

t.test('a key has the documented form and parses back', async (t) => {
  const made = makeApiKey('live', randomBytes);
  // bk_ + live_ + 16 + _ + 43 + 6
  t.match(made.key, /^bk_live_[0-9A-Za-z]{16}_[0-9A-Za-z]{49}$/);
  t.equal(made.prefix, made.key.slice(0, 'bk_live_'.length + 16));
  t.equal(parseApiKey(made.key)?.keyId, made.keyId);
  t.equal(made.secretHash.length, 32);
});

t.test('the same bytes give the same key: chance is an argument', async (t) => {
  const zeros = (n: number) => new Uint8Array(n);
  t.equal(makeApiKey('test', zeros).key, makeApiKey('test', zeros).key);
  t.match(makeApiKey('test', zeros).key, /^bk_test_0{16}_0{43}[0-9A-Za-z]{6}$/);
});

t.test('a changed character anywhere breaks the checksum', async (t) => {
  const { key } = makeApiKey('live', randomBytes);
  for (let i = 8; i < key.length; i += 1) {
    if (key[i] === '_') continue;
    const changed = key.slice(0, i) + (key[i] === 'a' ? 'b' : 'a') + key.slice(i + 1);
    t.equal(parseApiKey(changed), undefined, `position ${i}`);
  }
});

t.test('no text makes the parser throw', async () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => parseApiKey(text) === undefined),
    { seed: 7, numRuns: 2_000 },
  );
});

function createApp(t: Test, records: ApiKeySnapshot[], inMemory = true) {
  const app = Fastify();
  t.teardown(() => app.close());
  const uses: string[] = [];
  const loads: string[] = [];
  const find = (keyId: string) => records.find((record) => record.keyId === keyId);
  const guard = createApiKeyGuard({
    findKey: (keyId) => (inMemory ? find(keyId) : undefined),
    loadKey: async (keyId) => {
      loads.push(keyId);
      return find(keyId);
    },
    nowMs: () => nowMs,
    onUsed: (_company, id) => uses.push(id),
  });
  app.setErrorHandler((error, _request, reply) => {
    const { code, statusCode, message } = error as ApiError;
    void reply.code(statusCode).send(fail(code, message, nowMs));
  });
  app.get('/assign', { onRequest: guard.require('assign') }, async (request) => getPrincipal(request));
  return { app, uses, loads };
}

const recordOf = (
  made: ReturnType<typeof makeApiKey>,
  change: Partial<ApiKeySnapshot> = {},
): ApiKeySnapshot => ({
  companyId: 'cmp_1',
  id: 'key_1',
  keyId: made.keyId,
  secretHash: made.secretHash,
  scopes: ['assign', 'events'],
  expiresAtMs: undefined,
  ...change,
});

t.test('a good key passes in either header, from memory or loaded', async (t) => {
  const made = makeApiKey('live', randomBytes);
  for (const inMemory of [true, false]) {
    const { app, uses, loads } = createApp(t, [recordOf(made)], inMemory);
    for (const headers of [
      { 'x-api-key': made.key },
      { authorization: `Bearer ${made.key}` },
      { authorization: `bearer ${made.key}`, 'x-api-key': made.key },
    ]) {
      const response = await app.inject({ url: '/assign', headers });
      t.equal(response.statusCode, 200);
      t.strictSame(response.json(), { kind: 'key', companyId: 'cmp_1', apiKeyId: 'key_1' });
    }
    t.equal(uses.length, 3);
    t.equal(loads.length, inMemory ? 0 : 3);
  }
});

t.test('every other state of the credentials is 401, a missing scope 403', async (t) => {
  const made = makeApiKey('live', randomBytes);
  const other = makeApiKey('live', randomBytes);
  const wrongSecret = parseSameIdOtherSecret(made.keyId);
  const cases: [string, Record<string, string>, ApiKeySnapshot[], number][] = [
    ['none', {}, [recordOf(made)], 401],
    ['empty', { 'x-api-key': '' }, [recordOf(made)], 401],
    ['garbage', { 'x-api-key': 'garbage' }, [recordOf(made)], 401],
    [
      'bad checksum',
      { 'x-api-key': `${made.key.slice(0, -1)}${made.key.endsWith('a') ? 'b' : 'a'}` },
      [recordOf(made)],
      401,
    ],
    ['revoked or unknown', { 'x-api-key': made.key }, [], 401],
    ['wrong secret', { 'x-api-key': wrongSecret }, [recordOf(made)], 401],
    ['expired', { 'x-api-key': made.key }, [recordOf(made, { expiresAtMs: nowMs })], 401],
    ['expires in a moment', { 'x-api-key': made.key }, [recordOf(made, { expiresAtMs: nowMs + 1 })], 200],
    ['wrong scope', { 'x-api-key': made.key }, [recordOf(made, { scopes: ['events'] })], 403],
    [
      'both different',
      { 'x-api-key': made.key, authorization: `Bearer ${other.key}` },
      [recordOf(made), recordOf(other)],
      401,
    ],
    ['Basic', { authorization: `Basic ${made.key}` }, [recordOf(made)], 401],
    ['session cookie only', { cookie: 'authjs.session-token=x' }, [recordOf(made)], 401],
  ];
  for (const [name, headers, records, expected] of cases) {
    const { app } = createApp(t, records);
    const response = await app.inject({ url: '/assign', headers });
    t.equal(response.statusCode, expected, name);
    t.notMatch(response.body, made.key.slice(-20), 'the secret is not echoed');
  }
});

/** A well-formed key with this id and another secret. */
function parseSameIdOtherSecret(keyId: string): string {
  const idBytes = [...keyId].map((char) =>
    '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'.indexOf(char),
  );
  let isFirst = true;
  return makeApiKey('live', (n) => {
    const bytes = isFirst ? Uint8Array.from(idBytes) : new Uint8Array(n).fill(5);
    isFirst = false;
    return bytes;
  }).key;
}
