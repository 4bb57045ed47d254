import envSchema from 'env-schema';
import { checkMeaning, isLoopbackHost } from './check-meaning.ts';
import { ConfigError } from './config-error.ts';
import { configSchema, type Environment, secretNames } from './schema.ts';
import { splitList } from './split-list.ts';

/** What a process needs to know of its surroundings, checked and in the shapes that code uses. */
export interface Config {
  readonly host: string;
  readonly port: number;
  readonly dataDir: string;
  /** undefined: the embedded database. */
  readonly databaseUrl: string | undefined;
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
export function loadConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const given = Object.fromEntries(
    Object.entries(env).filter(
      ([name, value]) => Object.hasOwn(configSchema.properties, name) && value !== undefined && value !== '',
    ),
  );
  const { environment, mistakes } = readEnvironment(given);
  const isProduction =
    given.NODE_ENV === 'production' || given.DATABASE_URL !== undefined || !isLoopbackHost(given.HOST);
  const all = [...mistakes, ...checkMeaning(given, isProduction)];
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
