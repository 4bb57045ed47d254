import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type ApiError, fail } from '@bandit/contracts';
import Fastify, { type FastifyInstance, type InjectOptions } from 'fastify';
import t, { type Test } from 'tap';
import {
  createJwtReader,
  createNextAuthReader,
  createProxyTrust,
  createSessionGuard,
  getPrincipal,
  type Member,
} from '../../src/index.ts';

interface Cookie {
  readonly name: string;
  readonly value: string;
}
interface Vectors {
  readonly issuedAtMs: number;
  readonly secret: string;
  readonly otherSecret: string;
  readonly email: string;
  readonly cookies: readonly Cookie[];
  readonly expired: readonly Cookie[];
  readonly rotated: readonly Cookie[];
  readonly chunked: readonly (readonly Cookie[])[];
}
const vectors = JSON.parse(
  readFileSync(new URL('../vectors/cookies.json', import.meta.url), 'utf8'),
) as Vectors;
const nowMs = vectors.issuedAtMs + 60_000;
const jwtSecret = 'a secret of plain tokens, 32 characters or more';

const members: Record<string, Member> = {
  [vectors.email]: { companyId: 'cmp_1', memberId: 'mbr_ada', role: 'admin' },
  'member@example.com': { companyId: 'cmp_1', memberId: 'mbr_member', role: 'member' },
};

interface Setting {
  readonly secrets?: readonly string[];
  readonly proxies?: readonly string[];
  readonly isProduction?: boolean;
  readonly origins?: readonly string[];
}

async function createApp(t: Test, setting: Setting = {}): Promise<FastifyInstance> {
  const app = Fastify();
  t.teardown(() => app.close());
  const guard = createSessionGuard({
    findMember: async (email) => members[email],
    nextAuth: createNextAuthReader(setting.secrets ?? [vectors.secret]),
    jwt: await createJwtReader(app, [jwtSecret]),
    proxies: createProxyTrust(setting.proxies, setting.isProduction ?? false),
    allowedOrigins: setting.origins ?? [],
    nowMs: () => nowMs,
  });
  app.setErrorHandler((error, _request, reply) => {
    const { code, statusCode, message } = error as ApiError;
    void reply.code(statusCode).send(fail(code, message, nowMs));
  });
  const handler = async (request: never) => getPrincipal(request);
  app.get('/session', { onRequest: guard.session }, handler as never);
  app.post('/session', { onRequest: guard.session }, handler as never);
  app.get('/admin', { onRequest: guard.admin }, handler as never);
  return app;
}

const cookieHeader = (...cookies: readonly Cookie[]): string =>
  cookies.map(({ name, value }) => `${name}=${value}`).join('; ');

async function ask(app: FastifyInstance, options: InjectOptions) {
  const response = await app.inject({ url: '/session', remoteAddress: '203.0.113.9', ...options });
  return { status: response.statusCode, body: response.json() };
}

t.test('cookies made by next-auth 4 and @auth/core 5 name their member', async (t) => {
  const app = await createApp(t);
  for (const cookie of vectors.cookies) {
    const { status, body } = await ask(app, { headers: { cookie: cookieHeader(cookie) } });
    t.equal(status, 200, cookie.name);
    t.match(body, { kind: 'session', companyId: 'cmp_1', memberId: 'mbr_ada', role: 'admin' });
  }
});

t.test('chunked cookies are put together, and only when whole', async (t) => {
  const app = await createApp(t);
  for (const chunks of vectors.chunked) {
    t.ok(chunks.length > 1, 'the library did cut it');
    const shuffled = [...chunks].reverse();
    t.equal((await ask(app, { headers: { cookie: cookieHeader(...shuffled) } })).status, 200);
    t.equal((await ask(app, { headers: { cookie: cookieHeader(...chunks.slice(1)) } })).status, 401, 'a gap');
    t.equal(
      (await ask(app, { headers: { cookie: cookieHeader(...chunks.slice(0, -1)) } })).status,
      401,
      'no end',
    );
  }
  const name = vectors.cookies[0]!.name;
  const eleven = Array.from({ length: 11 }, (_, i) => ({ name: `${name}.${i}`, value: 'x' }));
  t.equal((await ask(app, { headers: { cookie: cookieHeader(...eleven) } })).status, 401);
});

t.test(
  'a cookie that was tampered with, has expired or was made with another secret is no session',
  async (t) => {
    const app = await createApp(t);
    for (const cookie of vectors.cookies) {
      const middle = cookie.value.length >> 1;
      const flipped = cookie.value[middle] === 'A' ? 'B' : 'A';
      const value = cookie.value.slice(0, middle) + flipped + cookie.value.slice(middle + 1);
      t.equal(
        (await ask(app, { headers: { cookie: cookieHeader({ ...cookie, value }) } })).status,
        401,
        'tampered',
      );
    }
    for (const cookie of [...vectors.expired, ...vectors.rotated]) {
      t.equal((await ask(app, { headers: { cookie: cookieHeader(cookie) } })).status, 401, cookie.name);
    }
    t.equal((await ask(app, { headers: { cookie: 'authjs.session-token=garbage' } })).status, 401);
  },
);

t.test('the v5 salt is the cookie name: a cookie under another name does not decrypt', async (t) => {
  const app = await createApp(t);
  const [plain] = vectors.cookies.filter((cookie) => cookie.name === 'authjs.session-token');
  const renamed = { name: '__Secure-authjs.session-token', value: plain!.value };
  t.equal((await ask(app, { headers: { cookie: cookieHeader(renamed) } })).status, 401);
});

t.test('a list of secrets reads cookies of the old and of the new one', async (t) => {
  const app = await createApp(t, { secrets: [vectors.otherSecret, vectors.secret] });
  for (const cookie of [...vectors.cookies, ...vectors.rotated]) {
    t.equal((await ask(app, { headers: { cookie: cookieHeader(cookie) } })).status, 200, cookie.name);
  }
});

t.test('plain signed tokens pass as bearer and as cookie; only HS256 with an expiry', async (t) => {
  const app = await createApp(t);
  await app.ready();
  const jwt = (app.jwt as unknown as Record<string, { sign(payload: object, options?: object): string }>)
    .session0!;
  const exp = Math.floor(nowMs / 1000) + 3600;
  const good = jwt.sign({ email: 'MEMBER@example.com', exp, role: 'admin', companyId: 'cmp_2' });
  const { status, body } = await ask(app, { headers: { authorization: `Bearer ${good}` } });
  t.equal(status, 200);
  t.match(body, { companyId: 'cmp_1', role: 'member' }, 'company and role come from the database');
  t.equal((await ask(app, { headers: { cookie: `bandit.session-token=${good}` } })).status, 200);
  const late = jwt.sign({ email: 'member@example.com', exp: Math.floor(nowMs / 1000) - 60 });
  t.equal((await ask(app, { headers: { authorization: `Bearer ${late}` } })).status, 401, 'expired');
  const endless = jwt.sign({ email: 'member@example.com' });
  t.equal((await ask(app, { headers: { authorization: `Bearer ${endless}` } })).status, 401, 'no expiry');
  const [, claims] = good.split('.');
  const none = `${Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url')}.${claims}.`;
  t.equal((await ask(app, { headers: { authorization: `Bearer ${none}` } })).status, 401, 'alg none');
  t.equal((await ask(app, { headers: { authorization: `Bearer ${good}x` } })).status, 401, 'tampered');
});

t.test('x-user-email counts only from a trusted peer that nobody forwarded for', async (t) => {
  const email = { 'x-user-email': 'Member@Example.com' };
  const local = { ...email, host: 'localhost:3000' };
  const cases: [string, Setting, InjectOptions, number][] = [
    ['embedded, loopback', {}, { headers: local, remoteAddress: '127.0.0.1' }, 200],
    ['embedded, IPv6 loopback', {}, { headers: local, remoteAddress: '::1' }, 200],
    ['embedded, mapped loopback', {}, { headers: local, remoteAddress: '::ffff:127.0.0.1' }, 200],
    ['embedded, another peer', {}, { headers: local, remoteAddress: '10.0.0.5' }, 401],
    [
      'embedded, forwarded',
      {},
      { headers: { ...local, 'x-forwarded-for': '1.2.3.4' }, remoteAddress: '127.0.0.1' },
      401,
    ],
    [
      'embedded, Forwarded',
      {},
      { headers: { ...local, forwarded: 'for=1.2.3.4' }, remoteAddress: '127.0.0.1' },
      401,
    ],
    [
      'embedded, public host',
      {},
      { headers: { ...email, host: 'api.example.com' }, remoteAddress: '127.0.0.1' },
      401,
    ],
    [
      'production, nothing configured',
      { isProduction: true },
      { headers: local, remoteAddress: '127.0.0.1' },
      401,
    ],
    [
      'production, configured peer',
      { isProduction: true, proxies: ['10.0.0.0/8'] },
      { headers: { ...email, 'x-forwarded-for': '1.2.3.4' }, remoteAddress: '10.9.8.7' },
      200,
    ],
    [
      'production, spoofed through X-Forwarded-For',
      { isProduction: true, proxies: ['10.0.0.0/8'] },
      { headers: { ...email, 'x-forwarded-for': '10.0.0.1' }, remoteAddress: '203.0.113.9' },
      401,
    ],
    [
      'unknown e-mail',
      {},
      { headers: { 'x-user-email': 'nobody@example.com', host: 'localhost' }, remoteAddress: '127.0.0.1' },
      401,
    ],
  ];
  for (const [name, setting, options, expected] of cases) {
    const app = await createApp(t, setting);
    t.equal((await ask(app, options)).status, expected, name);
  }
});

t.test('an API key on a session route is 401, whatever else is sent', async (t) => {
  const app = await createApp(t);
  const cookie = cookieHeader(vectors.cookies[0]!);
  t.equal((await ask(app, { headers: { 'x-api-key': 'bk_test_x', cookie } })).status, 401);
  t.equal((await ask(app, { headers: { authorization: 'Bearer bk_test_x_y', cookie } })).status, 401);
  t.equal((await ask(app, {})).status, 401, 'no credentials');
});

t.test('a route for admins answers a member 403', async (t) => {
  const app = await createApp(t);
  const as = (email: string) => ({
    url: '/admin',
    remoteAddress: '127.0.0.1',
    headers: { host: 'localhost', 'x-user-email': email },
  });
  t.equal((await ask(app, as(vectors.email))).status, 200);
  const refused = await ask(app, as('member@example.com'));
  t.equal(refused.status, 403);
  t.equal(refused.body.code, 'FORBIDDEN');
});

t.test('a write by cookie must not come from another site', async (t) => {
  const app = await createApp(t, { origins: ['https://dash.example.com'] });
  const cookie = cookieHeader(vectors.cookies[0]!);
  const write = (headers: Record<string, string>) =>
    ask(app, {
      method: 'POST',
      headers: { cookie, host: 'api.example.com', 'content-type': 'application/json', ...headers },
      payload: '{}',
    });
  t.equal((await write({ origin: 'https://api.example.com' })).status, 200);
  t.equal((await write({ origin: 'https://dash.example.com' })).status, 200, 'an allowed origin');
  t.equal((await write({ origin: 'https://evil.example.net' })).status, 403);
  t.equal((await write({ 'sec-fetch-site': 'cross-site' })).status, 403);
  t.equal((await write({ 'content-type': 'application/x-www-form-urlencoded' })).status, 403);
  t.equal((await write({ 'content-type': 'application/jsonp' })).status, 403);
  t.equal((await write({ origin: 'null' })).status, 403, 'a sandboxed page');
  t.equal((await write({ origin: 'https://api.example.com.evil.net' })).status, 403);
  t.equal(
    (await write({ origin: 'https://api.example.com:8443' })).status,
    200,
    'sites do not differ by port',
  );
  t.equal((await write({ origin: 'https://www.example.com', 'sec-fetch-site': 'same-site' })).status, 200);
  t.equal((await write({ origin: 'https://evil.example.net', 'sec-fetch-site': 'cross-site' })).status, 403);
  t.equal((await write({ origin: 'https://dash.example.com', 'sec-fetch-site': 'cross-site' })).status, 200);
  t.equal((await write({})).status, 200, 'no browser: no page made it send the cookie');
  const read = { headers: { cookie, host: 'api.example.com', origin: 'https://evil.example.net' } };
  t.equal((await ask(app, read)).status, 200, 'reading changes nothing, and CORS keeps the answer');
});

t.test('a write by a proxy must not come from another site either', async (t) => {
  const app = await createApp(t, { isProduction: true, proxies: ['10.0.0.0/8'] });
  const write = (headers: Record<string, string>) =>
    ask(app, {
      method: 'POST',
      remoteAddress: '10.0.0.1',
      headers: { host: 'internal:3000', 'x-user-email': vectors.email, ...headers },
    });
  t.equal((await write({ origin: 'https://dash.example.com', 'sec-fetch-site': 'same-origin' })).status, 200);
  t.equal((await write({ origin: 'https://evil.example.net', 'sec-fetch-site': 'cross-site' })).status, 403);
  t.equal((await write({ origin: 'https://dash.example.com' })).status, 200, 'a rewritten Host says nothing');
});

t.test('no algorithm but HS256 signs a token', async (t) => {
  const app = await createApp(t);
  const claims = Buffer.from(JSON.stringify({ email: vectors.email, exp: nowMs / 1000 + 600 })).toString(
    'base64url',
  );
  const sign = (alg: string, hash: string, secret: string): string => {
    const signed = `${Buffer.from(JSON.stringify({ alg, typ: 'JWT' })).toString('base64url')}.${claims}`;
    return `${signed}.${createHmac(hash, secret).update(signed).digest('base64url')}`;
  };
  const status = async (token: string) =>
    (await ask(app, { headers: { authorization: `Bearer ${token}` } })).status;
  t.equal(await status(sign('HS256', 'sha256', jwtSecret)), 200);
  for (const [alg, hash] of [
    ['HS384', 'sha384'],
    ['HS512', 'sha512'],
    ['none', 'sha256'],
    ['RS256', 'sha256'],
    ['hs256', 'sha256'],
  ]) {
    t.equal(await status(sign(alg!, hash!, jwtSecret)), 401, String(alg));
  }
  t.equal(await status(sign('HS256', 'sha256', '')), 401, 'an empty secret');
  t.equal(await status(sign('HS256', 'sha256', `${jwtSecret} `)), 401, 'another secret');
});

t.test('a peer without an address is believed where unix is configured, and nowhere else', async (t) => {
  const onSocket = createProxyTrust(['unix'], true);
  const onPort = createProxyTrust(['10.0.0.0/8'], true);
  for (const peer of [undefined, '']) {
    t.ok(onSocket.isTrusted(peer, {}));
    t.notOk(onPort.isTrusted(peer, {}));
    t.notOk(createProxyTrust(undefined, false).isTrusted(peer, { host: 'localhost' }));
    t.notOk(createProxyTrust(undefined, true).isTrusted(peer, {}));
  }
  t.notOk(onSocket.isTrusted('127.0.0.1', {}));
});
