import t from 'tap';
import { ConfigError, loadConfig } from '../src/index.ts';

type Env = Record<string, string | undefined>;

const strong = (letter: string): string => `${letter}-secret-${'0123456789'.repeat(3)}`;
/** The least that a production start needs. */
const production = {
  NODE_ENV: 'production',
  ASSIGNMENT_SECRET: strong('a'),
  AUTH_SECRET: strong('b'),
};

function mistakesOf(env: Env): readonly string[] {
  try {
    loadConfig(env);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.mistakes;
    throw error;
  }
}

t.test('without any variable it is the embedded default on loopback', async (t) => {
  t.strictSame(loadConfig({}), {
    host: '127.0.0.1',
    port: 3000,
    dataDir: '.data',
    databaseUrl: undefined,
    natsUrl: undefined,
    natsReplicas: 1,
    natsPrefix: undefined,
    redisUrl: undefined,
    databasePoolMax: 10,
    listenSocket: undefined,
    ingestParts: ['accept', 'learner'],
    retentionMs: undefined,
    instances: { assignment: 1, ingest: 1, learner: 1, management: 1 },
    isMigratedAtStart: true,
    isProduction: false,
    bootstrapAdminEmail: 'admin@example.com',
    platformToken: undefined,
    trustedProxies: undefined,
    nextAuthSecrets: [],
    authSecrets: [],
    jwtSecrets: [],
    assignmentSecret: undefined,
    ai: undefined,
    corsOrigins: [],
    logLevel: 'info',
    rateLimitPerKey: 50_000,
    rateLimitPerPeer: 0,
  });
});

t.test('empty and unknown variables count as not set', async (t) => {
  const env = { PORT: '', HOST: '', DATABASE_URL: '', AI_MODEL: undefined, PATH: '/bin', toString: 'x' };
  t.strictSame(loadConfig(env as Env), loadConfig({}));
});

t.test('values arrive in the shapes that code uses', async (t) => {
  const config = loadConfig({
    ...production,
    HOST: '0.0.0.0',
    PORT: '0',
    DATABASE_URL: 'postgresql://bandit@db/bandit',
    BOOTSTRAP_ADMIN_EMAIL: 'Ada@Example.com',
    TRUSTED_PROXIES: ' 10.0.0.0/8, ::1/128 ,192.0.2.1,',
    AUTH_SECRET: `${strong('new')}, ${strong('old')}`,
    CORS_ORIGINS: 'https://app.example.com,http://localhost:5173',
    RATE_LIMIT_PER_PEER: '100',
    AI_MODEL: 'llama3',
  });
  t.match(config, {
    host: '0.0.0.0',
    port: 0,
    isProduction: true,
    bootstrapAdminEmail: 'ada@example.com',
    trustedProxies: ['10.0.0.0/8', '::1/128', '192.0.2.1'],
    // The whole text too: one secret with a comma in it looks the same.
    authSecrets: [strong('new'), strong('old'), `${strong('new')}, ${strong('old')}`],
    corsOrigins: ['https://app.example.com', 'http://localhost:5173'],
    rateLimitPerPeer: 100,
    ai: { provider: 'openai', baseUrl: 'https://api.openai.com/v1', model: 'llama3' },
  });
  t.equal(config.ai?.apiKey, undefined);
  const anthropic = loadConfig({ AI_PROVIDER: 'anthropic', AI_MODEL: 'claude', AI_API_KEY: 'k' });
  t.match(anthropic.ai, { provider: 'anthropic', baseUrl: 'https://api.anthropic.com', apiKey: 'k' });
});

t.test('what makes a start production', async (t) => {
  const secrets = { ASSIGNMENT_SECRET: strong('a'), JWT_SECRET: strong('b') };
  const cases: [string, Env, boolean][] = [
    ['nothing', {}, false],
    ['NODE_ENV=development', { NODE_ENV: 'development' }, false],
    ['NODE_ENV=test', { NODE_ENV: 'test' }, false],
    ['NODE_ENV=production', { NODE_ENV: 'production' }, true],
    ['HOST=localhost', { HOST: 'localhost' }, false],
    ['HOST=127.0.0.2', { HOST: '127.0.0.2' }, false],
    ['HOST=::1', { HOST: '::1' }, false],
    ['HOST=0.0.0.0', { HOST: '0.0.0.0' }, true],
    ['HOST=::', { HOST: '::' }, true],
    ['HOST=10.0.0.1', { HOST: '10.0.0.1' }, true],
    ['HOST=a name', { HOST: '127.0.0.1.example.com' }, true],
    ['DATABASE_URL', { DATABASE_URL: 'postgres://localhost/bandit' }, true],
    ['both', { NODE_ENV: 'development', HOST: '0.0.0.0' }, true],
  ];
  for (const [name, env, expected] of cases) {
    t.equal(loadConfig({ ...env, ...secrets }).isProduction, expected, name);
    const missing = mistakesOf(env);
    t.equal(missing.length, expected ? 2 : 0, `${name}: secrets ${expected ? 'must' : 'need not'} be given`);
  }
});

t.test('production refuses missing, short and well-known secrets; a laptop takes them', async (t) => {
  const long = 'x'.repeat(31);
  const cases: [Env, RegExp][] = [
    [{ ASSIGNMENT_SECRET: undefined }, /ASSIGNMENT_SECRET must be set in production/],
    [{ AUTH_SECRET: undefined }, /one of NEXTAUTH_SECRET, AUTH_SECRET, JWT_SECRET must be set in production/],
    [{ ASSIGNMENT_SECRET: `${long.slice(1)}y` }, /ASSIGNMENT_SECRET must be at least 32 characters/],
    [{ ASSIGNMENT_SECRET: 'x'.repeat(40) }, /ASSIGNMENT_SECRET must be .* not a well-known word/],
    [{ AUTH_SECRET: 'secret' }, /AUTH_SECRET must be at least 32/],
    [{ AUTH_SECRET: `${strong('b')},short` }, /AUTH_SECRET must be .*each of them/],
    [{ NEXTAUTH_SECRET: 'your-secret-key-that-everybody-has-read' }, /NEXTAUTH_SECRET must be/],
    [{ JWT_SECRET: 'change-me-change-me-change-me-change-me' }, /JWT_SECRET must be/],
    [{ PLATFORM_TOKEN: 'fifteen chars !' }, /PLATFORM_TOKEN must be at least 16 characters/],
  ];
  t.strictSame(mistakesOf(production), []);
  for (const [change, expected] of cases) {
    const mistakes = mistakesOf({ ...production, ...change });
    t.equal(mistakes.length, 1, JSON.stringify(mistakes));
    t.match(mistakes[0], expected);
    t.strictSame(mistakesOf(change), [], 'fine on the embedded default');
  }
});

t.test('a wrong value is named with what was received and what is allowed', async (t) => {
  const cases: [Env, RegExp][] = [
    [{ PORT: 'http' }, /^PORT must be integer, got "http"$/],
    [{ PORT: '65536' }, /^PORT must be <= 65535, got "65536"$/],
    [{ PORT: '-1' }, /^PORT must be >= 0/],
    [{ PORT: '80.5' }, /^PORT must be integer/],
    [{ NODE_ENV: 'prod' }, /^NODE_ENV must be one of development, test, production, got "prod"$/],
    [{ LOG_LEVEL: 'loud' }, /^LOG_LEVEL must be one of fatal, .*silent, got "loud"$/],
    [{ BOOTSTRAP_ADMIN_EMAIL: 'nobody' }, /^BOOTSTRAP_ADMIN_EMAIL must match .* got "nobody"$/],
    [{ RATE_LIMIT_PER_KEY: '-5' }, /^RATE_LIMIT_PER_KEY must be >= 0/],
    [{ AI_PROVIDER: 'llama', AI_MODEL: 'x' }, /^AI_PROVIDER must be one of openai, anthropic, got "llama"$/],
    [{ AI_BASE_URL: 'file:///etc', AI_MODEL: 'x' }, /^AI_BASE_URL must be a URL that starts with http/],
    [{ AI_API_KEY: 'k' }, /^AI_MODEL must be set with AI_API_KEY$/],
    [{ NATS_URL: 'http://x' }, /^NATS_URL must be one URL, .* that start with nats:\/\/ or tls:\/\/$/],
    [{ NATS_URL: 'nats://a,tls://b' }, /^NATS_URL must be one URL, or several of one kind/],
    [{ REDIS_URL: 'redis://a,b' }, /^REDIS_URL must be .* redis:\/\/ or rediss:\/\/$/],
    [{ NATS_PREFIX: 'a.b' }, /^NATS_PREFIX /],
    [{ NATS_REPLICAS: '6' }, /^NATS_REPLICAS /],
    [{ INGEST_PARTS: 'all' }, /^INGEST_PARTS must be one of accept,learner, accept, learner, got "all"$/],
    [{ LISTEN_SOCKET: 'here' }, /^LISTEN_SOCKET must be an absolute path .* got "here"$/],
    [{ LISTEN_SOCKET: `/${'x'.repeat(107)}` }, /^LISTEN_SOCKET /],
    [{ ASSIGNMENT_INSTANCES: '0' }, /^ASSIGNMENT_INSTANCES /],
    [{ RETENTION_DAYS: '-1' }, /^RETENTION_DAYS /],
    [{ RETENTION_DAYS: '30' }, /^RETENTION_DAYS must be 0 \(for ever\) or at least 31, .* got "30"$/],
    [{ TRUSTED_PROXIES: '10.0.0.0/33' }, /^TRUSTED_PROXIES must be CIDRs .* got "10.0.0.0\/33"$/],
    [{ TRUSTED_PROXIES: 'unix' }, /^TRUSTED_PROXIES may name unix only with LISTEN_SOCKET$/],
    [{ TRUSTED_PROXIES: '10.0.0.0/' }, /^TRUSTED_PROXIES/],
    [{ TRUSTED_PROXIES: '10.0.0.0/8/8' }, /^TRUSTED_PROXIES/],
    [{ TRUSTED_PROXIES: 'proxy.example.com' }, /^TRUSTED_PROXIES/],
    [{ TRUSTED_PROXIES: '::1/129' }, /^TRUSTED_PROXIES/],
    [{ CORS_ORIGINS: '*' }, /^CORS_ORIGINS must be origins .* got "\*"$/],
    [{ CORS_ORIGINS: 'https://app.example.com/' }, /^CORS_ORIGINS/],
  ];
  for (const [env, expected] of cases) {
    const mistakes = mistakesOf(env);
    t.equal(mistakes.length, 1, JSON.stringify(mistakes));
    t.match(mistakes[0], expected);
  }
});

t.test('every mistake is listed in one message', async (t) => {
  const env = {
    ...production,
    PORT: 'x',
    LOG_LEVEL: 'y',
    ASSIGNMENT_SECRET: undefined,
    DATABASE_URL: 'mysql://db',
    TRUSTED_PROXIES: 'a,b',
    NATS_URL: 'x://x',
  };
  const mistakes = mistakesOf(env);
  const names = ['PORT', 'LOG_LEVEL', 'ASSIGNMENT_SECRET', 'DATABASE_URL', 'NATS_URL'];
  // One each, and one for either part of the list.
  t.equal(mistakes.length, names.length + 2, mistakes.join('\n'));
  for (const name of names)
    t.ok(
      mistakes.some((mistake) => mistake.startsWith(name)),
      name,
    );
  t.throws(() => loadConfig(env), {
    name: 'ConfigError',
    message: /^The configuration has 7 mistakes:\n {2}- /,
  });
});

t.test('no message shows the value of a secret', async (t) => {
  const canary = 'c4n4ry';
  const env = {
    NODE_ENV: 'production',
    PORT: 'x',
    DATABASE_URL: `mysql://user:${canary}@db/x`,
    NATS_URL: `http://user:${canary}@nats`,
    REDIS_URL: `http://:${canary}@redis`,
    PLATFORM_TOKEN: canary,
    NEXTAUTH_SECRET: canary,
    AUTH_SECRET: canary,
    JWT_SECRET: canary,
    ASSIGNMENT_SECRET: canary,
    AI_API_KEY: canary,
    AI_BASE_URL: `ftp://user:${canary}@ai`,
  };
  const mistakes = mistakesOf(env);
  t.ok(mistakes.length >= 10, mistakes.join('\n'));
  t.notMatch(mistakes.join('\n'), canary);
});

t.test('a process of its own says which stores it misses, and what for', async (t) => {
  const stores = { DATABASE_URL: 'it decides', NATS_URL: 'it carries' };
  t.throws(() => loadConfig({ NATS_URL: 'nats://x' }, { stores }), {
    name: 'ConfigError',
    mistakes: ['DATABASE_URL must be set: it decides'],
  });
  const given = { ...production, DATABASE_URL: 'postgres://x', NATS_URL: 'nats://a:4222,nats://b:4222' };
  t.equal(loadConfig(given, { stores }).natsUrl, given.NATS_URL);
});

t.test('where nobody signs in no session secret is asked for', async (t) => {
  const env = { NODE_ENV: 'production', ASSIGNMENT_SECRET: strong('a') };
  t.match(mistakesOf(env), [/NEXTAUTH_SECRET, AUTH_SECRET, JWT_SECRET must be set/]);
  const config = loadConfig(env, { sessions: false });
  t.equal(config.isMigratedAtStart, false);
});

t.test('lists and days arrive as what they mean', async (t) => {
  const config = loadConfig({ INGEST_PARTS: 'learner', RETENTION_DAYS: '40' });
  const behindGateway = loadConfig({ TRUSTED_PROXIES: 'unix', LISTEN_SOCKET: '/run/bandit/a.sock' });
  t.strictSame(config.ingestParts, ['learner']);
  t.equal(config.retentionMs, 3_456_000_000);
  t.strictSame(behindGateway.trustedProxies, ['unix']);
});
