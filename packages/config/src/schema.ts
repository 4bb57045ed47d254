/** Every environment variable the platform reads: type, default, meaning. docs/configuration.md is made from this. */
import { emailSchema, limits } from '@bandit/contracts';
import { type Static, Type } from '@sinclair/typebox';

const port = (fallback: number, description: string) =>
  Type.Integer({ minimum: 0, maximum: 65_535, default: fallback, description });
const secret = (description: string) => Type.Optional(Type.String({ minLength: 1, description }));
const text = (description: string) => Type.Optional(Type.String({ minLength: 1, description }));

const instances = (service: string) =>
  Type.Integer({
    minimum: 1,
    maximum: 64,
    default: 1,
    description: `Processes of ${service} that \`fleet\` starts.`,
  });

export const configSchema = Type.Object({
  NODE_ENV: Type.Optional(
    Type.String({
      enum: ['development', 'test', 'production'],
      description: 'production demands secrets and trusts no proxy unless told to.',
    } as never),
  ),
  HOST: Type.String({
    minLength: 1,
    default: '127.0.0.1',
    description: 'Address to listen on. One that is not loopback makes this a production start.',
  }),
  PORT: port(3000, 'Port to listen on; 0 picks a free one.'),
  DATA_DIR: Type.String({
    minLength: 1,
    default: '.data',
    description: 'Folder of the embedded database and of generated secrets.',
  }),
  DATABASE_URL: text(
    'postgres:// URL of a real Postgres 15 or later; without it the embedded database is used. Makes this a production start.',
  ),
  NATS_URL: text(
    'nats:// or tls:// URL of NATS with JetStream, several of a cluster by comma; without it the bus stays inside one process.',
  ),
  NATS_REPLICAS: Type.Integer({
    minimum: 1,
    maximum: 5,
    default: 1,
    description: 'Copies of each stream; 3 on a cluster of three.',
  }),
  NATS_PREFIX: Type.Optional(
    Type.String({
      pattern: '^[A-Za-z0-9_-]{1,32}$',
      description: 'Put before every subject and stream: several platforms on one NATS.',
    }),
  ),
  REDIS_URL: text(
    'redis:// or rediss:// URL of Redis 7.0 or later; several by comma are the nodes of a Redis Cluster. Without it each process caches for itself.',
  ),
  DATABASE_POOL_MAX: Type.Integer({
    minimum: 2,
    maximum: 100,
    default: limits.databasePoolMax,
    description:
      'Most connections to Postgres that management keeps open; the other services need four each.',
  }),
  LISTEN_SOCKET: text('Path of a Unix socket to listen on instead of HOST and PORT.'),
  INGEST_PARTS: Type.String({
    enum: ['accept,learner', 'accept', 'learner'],
    default: 'accept,learner',
    description: 'What an ingest process does: take events, learn from them, or both.',
  } as never),
  RETENTION_DAYS: Type.Integer({
    minimum: 0,
    maximum: 3_650,
    default: 0,
    description:
      'Days that single assignments and events are kept, learned sums stay: 31 or more, the same for every process; 0 = for ever.',
  }),
  ASSIGNMENT_INSTANCES: instances('assignment'),
  INGEST_INSTANCES: instances('ingest'),
  LEARNER_INSTANCES: instances('learner'),
  MANAGEMENT_INSTANCES: instances('management'),
  BOOTSTRAP_ADMIN_EMAIL: Type.String({
    maxLength: limits.emailCharsMax,
    pattern: emailSchema.pattern as string,
    default: 'admin@example.com',
    description: 'E-mail of the admin that the first start on an empty database creates.',
  }),
  PLATFORM_TOKEN: secret(
    'Bearer token of POST /companies; without it the route answers 401. In production at least 16 characters.',
  ),
  TRUSTED_PROXIES: text(
    'Comma-separated CIDRs whose x-user-email header is believed, or `unix` for the peers on LISTEN_SOCKET. Embedded default: loopback, and only for requests that no proxy forwarded. Production: nobody.',
  ),
  NEXTAUTH_SECRET: secret('Secret of NextAuth v4 cookies; several by comma, newest first, for rotation.'),
  AUTH_SECRET: secret('Secret of Auth.js v5 cookies; several by comma, newest first, for rotation.'),
  JWT_SECRET: secret('Secret of plain signed JWTs (HS256) for internal tools; several by comma.'),
  ASSIGNMENT_SECRET: secret(
    'Wraps the keys that sign assignment ids. Generated in DATA_DIR on the embedded default; part of the backup.',
  ),
  AI_PROVIDER: Type.Optional(
    Type.String({
      enum: ['openai', 'anthropic'],
      description: 'Kind of AI provider for generate-variant.',
    } as never),
  ),
  AI_BASE_URL: text(
    'http(s) URL of the provider; any OpenAI-compatible endpoint (Ollama, vLLM …) with AI_PROVIDER=openai.',
  ),
  AI_API_KEY: secret('Key of the provider; local servers need none.'),
  AI_MODEL: text('Model name sent to the provider.'),
  CORS_ORIGINS: text('Comma-separated origins whose browsers may call the API; none by default.'),
  LOG_LEVEL: Type.String({
    enum: ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
    default: 'info',
    description: 'Least level that is logged.',
  } as never),
  RATE_LIMIT_PER_KEY: Type.Integer({
    minimum: 0,
    maximum: 10_000_000,
    default: limits.rateLimitPerKeyPerSecond,
    description: 'Requests a second of one API key; 0 = no limit.',
  }),
  RATE_LIMIT_PER_PEER: Type.Integer({
    minimum: 0,
    maximum: 10_000_000,
    default: 0,
    description: 'Requests a second of one network peer; 0 = no limit (many users may share a proxy).',
  }),
});

export type Environment = Static<typeof configSchema>;

/** Variables whose values never appear in a message. */
export const secretNames: ReadonlySet<string> = new Set([
  'PLATFORM_TOKEN',
  'NEXTAUTH_SECRET',
  'AUTH_SECRET',
  'JWT_SECRET',
  'ASSIGNMENT_SECRET',
  'AI_API_KEY',
  'DATABASE_URL',
  'NATS_URL',
  'REDIS_URL',
]);
