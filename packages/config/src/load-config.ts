import envSchema from 'env-schema';
import { checkMeaning, isLoopbackHost } from './check-meaning.ts';
import { ConfigError } from './config-error.ts';
import type { ConfigNeeds } from './config-needs.ts';
import { configSchema, type Environment, secretNames } from './schema.ts';
import { splitList } from './split-list.ts';

/** What a process needs to know of its surroundings, checked and in the shapes that code uses. */
export interface Config {
  readonly host: string;
  readonly port: number;
  readonly dataDir: string;
  /** undefined: the embedded database. */
  readonly databaseUrl: string | undefined;
  /** undefined: the bus inside this process. Several URLs by comma. */
  readonly natsUrl: string | undefined;
  readonly natsReplicas: number;
  readonly natsPrefix: string | undefined;
  /** undefined: the cache inside this process. Several URLs by comma. */
  readonly redisUrl: string | undefined;
  readonly databasePoolMax: number;
  /** Path of a Unix socket instead of host and port. */
  readonly listenSocket: string | undefined;
  readonly ingestParts: readonly ('accept' | 'learner')[];
  /** undefined: for ever. */
  readonly retentionMs: number | undefined;
  readonly instances: Readonly<Record<'assignment' | 'ingest' | 'learner' | 'management', number>>;
  /** In development the schema is brought up to date at start; in production by a command. */
  readonly isMigratedAtStart: boolean;
  readonly isProduction: boolean;
  readonly bootstrapAdminEmail: string;
  readonly platformToken: string | undefined;
  /** CIDRs; undefined where nobody configured them (embedded default: loopback). */
  readonly trustedProxies: readonly string[] | undefined;
  /** Newest first; empty where none is configured (then the embedded launcher generates one). */
  readonly nextAuthSecrets: readonly string[];
  readonly authSecrets: readonly string[];
  readonly jwtSecrets: readonly string[];
  readonly assignmentSecret: string | undefined;
  readonly ai: AiConfig | undefined;
  readonly corsOrigins: readonly string[];
  readonly logLevel: string;
  readonly rateLimitPerKey: number;
  readonly rateLimitPerPeer: number;
}

export interface AiConfig {
  readonly provider: 'openai' | 'anthropic';
  readonly baseUrl: string;
  readonly apiKey: string | undefined;
  readonly model: string;
}

/**
 * @param env usually process.env; variables that are set but empty count as not set
 * @throws ConfigError listing every mistake at once: name, value (never a secret's) and what is allowed
 */
export function loadConfig(
  env: Readonly<Record<string, string | undefined>>,
  needs: ConfigNeeds = {},
): Config {
  const given = Object.fromEntries(
    Object.entries(env).filter(
      ([name, value]) => Object.hasOwn(configSchema.properties, name) && value !== undefined && value !== '',
    ),
  );
  const { environment, mistakes } = readEnvironment(given);
  const isProduction =
    given.NODE_ENV === 'production' || given.DATABASE_URL !== undefined || !isLoopbackHost(given.HOST);
  const all = [...mistakes, ...checkMeaning(given, isProduction, needs)];
  if (all.length > 0) throw new ConfigError(all);
  return present(environment as Environment, isProduction);
}

function readEnvironment(given: Record<string, unknown>): { environment: unknown; mistakes: string[] } {
  try {
    return {
      environment: envSchema({ schema: configSchema, data: { ...given }, env: false, dotenv: false }),
      mistakes: [],
    };
  } catch (error) {
    const { errors } = error as { errors?: SchemaFault[] };
    if (errors === undefined) throw error;
    return { environment: undefined, mistakes: errors.map((fault) => sentence(fault, given)) };
  }
}

interface SchemaFault {
  readonly instancePath: string;
  readonly message?: string;
  readonly params: { readonly allowedValues?: readonly string[] };
}

function sentence(fault: SchemaFault, given: Record<string, unknown>): string {
  const name = fault.instancePath.slice(1);
  const value = secretNames.has(name) ? 'a value that is not shown' : JSON.stringify(given[name]);
  const allowed = fault.params.allowedValues?.join(', ');
  return `${name} ${allowed === undefined ? fault.message : `must be one of ${allowed}`}, got ${value}`;
}

function present(environment: Environment, isProduction: boolean): Config {
  return {
    host: environment.HOST,
    port: environment.PORT,
    dataDir: environment.DATA_DIR,
    databaseUrl: environment.DATABASE_URL,
    ...presentProcess(environment),
    isProduction,
    bootstrapAdminEmail: environment.BOOTSTRAP_ADMIN_EMAIL.toLowerCase(),
    platformToken: environment.PLATFORM_TOKEN,
    trustedProxies:
      environment.TRUSTED_PROXIES === undefined ? undefined : splitList(environment.TRUSTED_PROXIES),
    nextAuthSecrets: readSecrets(environment.NEXTAUTH_SECRET),
    authSecrets: readSecrets(environment.AUTH_SECRET),
    jwtSecrets: readSecrets(environment.JWT_SECRET),
    assignmentSecret: environment.ASSIGNMENT_SECRET,
    ai: presentAi(environment),
    corsOrigins: splitList(environment.CORS_ORIGINS),
    logLevel: environment.LOG_LEVEL,
    rateLimitPerKey: environment.RATE_LIMIT_PER_KEY,
    rateLimitPerPeer: environment.RATE_LIMIT_PER_PEER,
  };
}

function presentProcess(environment: Environment) {
  return {
    natsUrl: environment.NATS_URL,
    natsReplicas: environment.NATS_REPLICAS,
    natsPrefix: environment.NATS_PREFIX,
    redisUrl: environment.REDIS_URL,
    databasePoolMax: environment.DATABASE_POOL_MAX,
    listenSocket: environment.LISTEN_SOCKET,
    ingestParts: splitList(environment.INGEST_PARTS) as ('accept' | 'learner')[],
    retentionMs: environment.RETENTION_DAYS === 0 ? undefined : environment.RETENTION_DAYS * dayMs,
    instances: {
      assignment: environment.ASSIGNMENT_INSTANCES,
      ingest: environment.INGEST_INSTANCES,
      learner: environment.LEARNER_INSTANCES,
      management: environment.MANAGEMENT_INSTANCES,
    },
    isMigratedAtStart: environment.NODE_ENV !== 'production',
  };
}

const dayMs = 86_400_000;

/** The secrets of a list; and the whole text as well, as a secret may hold a comma of its own. */
function readSecrets(text: string | undefined): string[] {
  const secrets = splitList(text);
  return text === undefined || secrets.length < 2 ? secrets : [...secrets, text];
}

const defaultBaseUrls = {
  openai: 'https://api.openai.com/v1',
  anthropic: 'https://api.anthropic.com',
} as const;

/** Configured when a model is named; everything else has a default. */
function presentAi(environment: Environment): AiConfig | undefined {
  if (environment.AI_MODEL === undefined) return undefined;
  const provider = (environment.AI_PROVIDER ?? 'openai') as AiConfig['provider'];
  return {
    provider,
    baseUrl: environment.AI_BASE_URL ?? defaultBaseUrls[provider],
    apiKey: environment.AI_API_KEY,
    model: environment.AI_MODEL,
  };
}
