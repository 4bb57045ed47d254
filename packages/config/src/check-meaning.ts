import { isIP } from 'node:net';
import { limits } from '@bandit/contracts';
import type { ConfigNeeds, StoreVariable } from './config-needs.ts';
import { splitList } from './split-list.ts';

const secretCharsMin = 32;
const platformTokenCharsMin = 16;
/** Values from tutorials and examples: whoever can read can sign in. */
const wellKnown =
  /^(secret|changeme|change[-_ ]?me.*|password|your[-_ ]?secret.*|nextauth[-_ ]?secret|development|test|example.*|(.)\2+)$/i;
const requiredInProduction = ['ASSIGNMENT_SECRET'] as const;
const sessionSecrets = ['NEXTAUTH_SECRET', 'AUTH_SECRET', 'JWT_SECRET'] as const;

type Given = Readonly<Record<string, unknown>>;

/** What a schema cannot say. @returns a sentence for each mistake */
export function checkMeaning(given: Given, isProduction: boolean, needs: ConfigNeeds): string[] {
  return [
    ...checkNeeds(given, needs),
    ...(isProduction ? checkSecrets(given, needs.sessions !== false) : []),
    ...checkUrl(given, 'DATABASE_URL', ['postgres:', 'postgresql:']),
    ...checkUrls(given, 'NATS_URL', ['nats:', 'tls:']),
    ...checkUrls(given, 'REDIS_URL', ['redis:', 'rediss:']),
    ...checkUrl(given, 'AI_BASE_URL', ['http:', 'https:']),
    ...checkSocket(given),
    ...checkRetention(given),
    ...checkProxies(given),
    ...checkOrigins(given),
    ...checkAi(given),
  ];
}

export function isLoopbackHost(host: unknown): boolean {
  return (
    host === undefined || host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(String(host))
  );
}

/** Only in production: on a laptop a short secret is nobody's risk, and often the one that the dashboard already has. */
function checkSecrets(given: Given, hasSessions: boolean): string[] {
  const why = 'in production (NODE_ENV=production, a HOST that is not loopback, or DATABASE_URL set)';
  const faults = [...requiredInProduction, ...sessionSecrets].flatMap((name) => checkStrength(given, name));
  const token = given.PLATFORM_TOKEN;
  if (typeof token === 'string' && (token.length < platformTokenCharsMin || wellKnown.test(token))) {
    faults.push(
      `PLATFORM_TOKEN must be at least ${platformTokenCharsMin} characters and not a well-known word ${why}`,
    );
  }
  for (const name of requiredInProduction) {
    if (given[name] === undefined)
      faults.push(`${name} must be set ${why}: at least ${secretCharsMin} characters`);
  }
  if (hasSessions && sessionSecrets.every((name) => given[name] === undefined)) {
    faults.push(`one of ${sessionSecrets.join(', ')} must be set ${why}: else nobody could sign in`);
  }
  return faults;
}

function checkStrength(given: Given, name: string): string[] {
  const value = given[name];
  if (typeof value !== 'string') return [];
  const isList = name !== 'ASSIGNMENT_SECRET';
  const secrets = isList ? splitList(value) : [value];
  const isWeak = secrets.some((secret) => secret.length < secretCharsMin || wellKnown.test(secret));
  return isWeak
    ? [
        `${name} must be at least ${secretCharsMin} characters and not a well-known word in production${isList ? ', each of them' : ''}`,
      ]
    : [];
}

function checkUrl(given: Given, name: string, protocols: readonly string[]): string[] {
  const value = given[name];
  if (typeof value !== 'string') return [];
  const isRight = URL.canParse(value) && protocols.includes(new URL(value).protocol);
  return isRight
    ? []
    : [`${name} must be a URL that starts with ${protocols.map((p) => `${p}//`).join(' or ')}`];
}

/** As `checkUrl`, of a comma-separated list whose parts are of one kind. The values may hold passwords: none is shown. */
function checkUrls(given: Given, name: string, protocols: readonly string[]): string[] {
  const parts = listOf(given[name]);
  const isRight = parts.every((part) => URL.canParse(part) && protocols.includes(new URL(part).protocol));
  const isOneKind = new Set(parts.map((part) => part.slice(0, part.indexOf(':')))).size <= 1;
  const kinds = protocols.map((protocol) => `${protocol}//`).join(' or ');
  return isRight && isOneKind
    ? []
    : [`${name} must be one URL, or several of one kind separated by commas, that start with ${kinds}`];
}

function checkNeeds(given: Given, { stores = {} }: ConfigNeeds): string[] {
  return (Object.keys(stores) as StoreVariable[])
    .filter((name) => given[name] === undefined)
    .map((name) => `${name} must be set: ${stores[name]}`);
}

/** What a Unix socket's address may hold, less the byte that ends it. */
const socketPathBytesMax = 107;

function checkSocket(given: Given): string[] {
  const path = given.LISTEN_SOCKET;
  if (typeof path !== 'string') return [];
  const isRight = path.startsWith('/') && Buffer.byteLength(path) <= socketPathBytesMax;
  return isRight
    ? []
    : [
        `LISTEN_SOCKET must be an absolute path of at most ${socketPathBytesMax} bytes, got ${JSON.stringify(path)}`,
      ];
}

/** A reward may come for as long as the longest attribution window is open. */
const retentionDaysMin = limits.attributionWindowSecondsMax / 86_400 + 1;

function checkRetention({ RETENTION_DAYS: days }: Given): string[] {
  const isLong = days === undefined || Number(days) === 0 || Number(days) >= retentionDaysMin;
  return isLong || !/^\d+$/.test(String(days))
    ? []
    : [
        `RETENTION_DAYS must be 0 (for ever) or at least ${retentionDaysMin}, above the longest attribution window, got ${JSON.stringify(days)}`,
      ];
}

function checkProxies(given: Given): string[] {
  const parts = listOf(given.TRUSTED_PROXIES);
  // A connection that was just cut has no address either: on a port, `unix` would believe whoever hangs up.
  if (parts.includes('unix') && given.LISTEN_SOCKET === undefined)
    return ['TRUSTED_PROXIES may name unix only with LISTEN_SOCKET'];
  return parts
    .filter((part) => part !== 'unix' && !isCidr(part))
    .map(
      (part) =>
        `TRUSTED_PROXIES must be CIDRs such as 10.0.0.0/8 or ::1/128, or unix, got ${JSON.stringify(part)}`,
    );
}

/** Compared with the Origin header as it is: a path, a slash at the end or `*` would never match or match too much. */
function checkOrigins(given: Given): string[] {
  return listOf(given.CORS_ORIGINS)
    .filter((part) => !URL.canParse(part) || new URL(part).origin !== part)
    .map(
      (part) => `CORS_ORIGINS must be origins such as https://app.example.com, got ${JSON.stringify(part)}`,
    );
}

function listOf(value: unknown): string[] {
  return typeof value === 'string' ? splitList(value) : [];
}

function isCidr(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128));
}

function checkAi(given: Given): string[] {
  const others = ['AI_PROVIDER', 'AI_BASE_URL', 'AI_API_KEY'].filter((name) => given[name] !== undefined);
  if (others.length > 0 && given.AI_MODEL === undefined)
    return [`AI_MODEL must be set with ${others.join(', ')}`];
  return [];
}
