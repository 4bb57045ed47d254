import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type ApiError, type ApiKeySnapshot, fail } from '@bandit/contracts';
import Fastify, { type FastifyInstance, type FastifyRequest, type InjectOptions } from 'fastify';
import t, { type Test } from 'tap';
import {
  carriesApiKey,
  createApiKeyGuard,
  createJwtReader,
  createNextAuthReader,
  createProxyTrust,
  createSessionGuard,
  getPrincipal,
  type MadeApiKey,
  makeApiKey,
} from '../src/index.ts';

const vectors = JSON.parse(readFileSync(new URL('vectors/cookies.json', import.meta.url), 'utf8'));
const nowMs: number = vectors.issuedAtMs + 60_000;
const jwtSecret = 'a secret of plain tokens, 32 characters or more';
const made = Object.fromEntries(
  ['good', 'revoked', 'expired', 'foreign', 'assignOnly'].map((name) => [
    name,
    makeApiKey('live', randomBytes),
  ]),
) as Record<string, MadeApiKey>;

const recordOf = (name: string, change: Partial<ApiKeySnapshot> = {}): ApiKeySnapshot => ({
  companyId: 'cmp_1',
  id: `key_${name}`,
  keyId: made[name]!.keyId,
  secretHash: made[name]!.secretHash,
  scopes: ['assign', 'events'],
  expiresAtMs: undefined,
  ...change,
});
const records = [
  recordOf('good'),
  recordOf('expired', { expiresAtMs: nowMs - 1 }),
  recordOf('foreign', { companyId: 'cmp_2' }),
  recordOf('assignOnly', { scopes: ['assign'] }),
];
const members: Record<string, { companyId: string; memberId: string; role: 'admin' | 'member' }> = {
  [vectors.email]: { companyId: 'cmp_1', memberId: 'mbr_ada', role: 'admin' },
  'member@example.com': { companyId: 'cmp_1', memberId: 'mbr_member', role: 'member' },
};

/** Routes as the platform has them: key, session, admin, and the funnel reward's either. */
async function createApp(t: Test): Promise<FastifyInstance> {
  const app = Fastify();
  t.teardown(() => app.close());
  const keys = createApiKeyGuard({
    findKey: (keyId) => records.find((record) => record.keyId === keyId),
    loadKey: async () => undefined,
    nowMs: () => nowMs,
  });
  const sessions = createSessionGuard({
    findMember: async (email) => members[email],
    nextAuth: createNextAuthReader([vectors.secret]),
    jwt: await createJwtReader(app, [jwtSecret]),
    proxies: createProxyTrust(['10.0.0.0/8'], true),
    allowedOrigins: [],
    nowMs: () => nowMs,
  });
  app.setErrorHandler((error, _request, reply) => {
    const { code, statusCode, message } = error as ApiError;
    void reply.code(statusCode ?? 500).send(fail(code, message, nowMs));
  });
  const either = (request: FastifyRequest) =>
    carriesApiKey(request.headers) ? keys.check(request, 'events') : sessions.session(request);
  const hooks = { key: keys.require('events'), session: sessions.session, admin: sessions.admin, either };
  for (const [name, onRequest] of Object.entries(hooks)) {
    app.post(`/${name}`, { onRequest: onRequest as never }, async (request) => getPrincipal(request));
  }
  return app;
}

const good = made.good!.key;
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const cookie = (...list: { name: string; value: string }[]) => ({
  cookie: list.map(({ name, value }) => `${name}=${value}`).join('; '),
});
const v4 = vectors.cookies.find((one: { name: string }) => one.name === 'next-auth.session-token');
const v5 = vectors.cookies.find((one: { name: string }) => one.name === 'authjs.session-token');
const tampered = { ...v5, value: `${v5.value.slice(0, -4)}AAAA` };
const trusted = { remoteAddress: '10.1.2.3' };

type State = [name: string, request: InjectOptions, statuses: [number, number, number, number]];
/** Statuses of the routes key (scope events), session, admin, either. */
const states: State[] = [
  ['none', {}, [401, 401, 401, 401]],
  ['empty', { headers: { authorization: '', 'x-api-key': '' } }, [401, 401, 401, 401]],
  ['garbage', { headers: { authorization: 'garbage \u00ff' } }, [401, 401, 401, 401]],
  ['garbage bearer', { headers: bearer('x.y.z') }, [401, 401, 401, 401]],
  [
    'bad checksum',
    { headers: bearer(`${good.slice(0, -1)}${good.endsWith('0') ? 1 : 0}`) },
    [401, 401, 401, 401],
  ],
  ['good key', { headers: bearer(good) }, [200, 401, 401, 200]],
  ['revoked', { headers: bearer(made.revoked!.key) }, [401, 401, 401, 401]],
  ['expired', { headers: bearer(made.expired!.key) }, [401, 401, 401, 401]],
  ["other company's", { headers: { 'x-api-key': made.foreign!.key } }, [200, 401, 401, 200]],
  ['wrong scope', { headers: bearer(made.assignOnly!.key) }, [403, 401, 401, 403]],
  ['both headers same', { headers: { ...bearer(good), 'x-api-key': good } }, [200, 401, 401, 200]],
  ['both different', { headers: { ...bearer(good), 'x-api-key': made.foreign!.key } }, [401, 401, 401, 401]],
  ['key and a broken key', { headers: { ...bearer(good), 'x-api-key': 'x' } }, [401, 401, 401, 401]],
  ['session v4', { headers: cookie(v4) }, [401, 200, 200, 200]],
  ['session v5', { headers: cookie(v5) }, [401, 200, 200, 200]],
  ['session chunked', { headers: cookie(...vectors.chunked[1]) }, [401, 200, 200, 200]],
  ['session expired', { headers: cookie(vectors.expired[1]) }, [401, 401, 401, 401]],
  ['session tampered', { headers: cookie(tampered) }, [401, 401, 401, 401]],
  ['stale v4 beside good v5', { headers: cookie(vectors.expired[0], v5) }, [401, 200, 200, 200]],
  ['x-user-email, untrusted peer', { headers: { 'x-user-email': vectors.email } }, [401, 401, 401, 401]],
  [
    'x-user-email, trusted peer',
    { headers: { 'x-user-email': vectors.email }, ...trusted },
    [401, 200, 200, 200],
  ],
  [
    'x-user-email twice',
    { headers: { 'x-user-email': [vectors.email, vectors.email] }, ...trusted },
    [401, 401, 401, 401],
  ],
  ['member', { headers: { 'x-user-email': ' Member@Example.com ' }, ...trusted }, [401, 200, 403, 200]],
  ['unknown e-mail', { headers: { 'x-user-email': 'who@example.com' }, ...trusted }, [401, 401, 401, 401]],
  ['__proto__ as e-mail', { headers: { 'x-user-email': '__proto__' }, ...trusted }, [401, 401, 401, 401]],
  ['key beside a session', { headers: { ...cookie(v5), 'x-api-key': good } }, [200, 401, 401, 200]],
  ['broken bearer beside a session', { headers: { ...cookie(v5), ...bearer('x') } }, [401, 401, 401, 401]],
];

t.test('every state of the credentials on every kind of route', async (t) => {
  const app = await createApp(t);
  const routes = ['key', 'session', 'admin', 'either'] as const;
  for (const [name, request, statuses] of states) {
    for (const [i, route] of routes.entries()) {
      const answer = await app.inject({
        method: 'POST',
        url: `/${route}`,
        remoteAddress: '203.0.113.9',
        ...request,
      });
      t.equal(answer.statusCode, statuses[i], `${name} on ${route}`);
      const codes: Record<number, string | undefined> = { 401: 'UNAUTHORIZED', 403: 'FORBIDDEN' };
      t.equal(answer.json().code, codes[answer.statusCode], `${name} on ${route}`);
      t.notMatch(answer.body, good.slice(-20), 'no secret in an answer');
    }
  }
});

t.test('a key acts for its own company, whatever else is said', async (t) => {
  const app = await createApp(t);
  const headers = { 'x-api-key': made.foreign!.key, 'x-company-id': 'cmp_1' };
  const answer = await app.inject({ method: 'POST', url: '/key', headers });
  t.strictSame(answer.json(), { kind: 'key', companyId: 'cmp_2', apiKeyId: 'key_foreign' });
});

t.test('a signed token is read from a NextAuth cookie too, and only with the secret of tokens', async (t) => {
  const app = await createApp(t);
  await app.ready();
  const signer = (app.jwt as unknown as Record<string, { sign(payload: object): string }>).session0!;
  const token = signer.sign({ email: 'member@example.com', exp: nowMs / 1000 + 60 });
  const ask = async (value: string) =>
    (await app.inject({ method: 'POST', url: '/session', headers: cookie({ name: v5.name, value }) }))
      .statusCode;
  t.equal(await ask(token), 200);
  t.equal(await ask(`${token.slice(0, -3)}AAA`), 401);
});
