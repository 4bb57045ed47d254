/** Where Redis is: one address is a single server, several are the seeds of a Redis Cluster. */
export interface RedisTarget {
  readonly seeds: readonly RedisAddress[];
  readonly isCluster: boolean;
  readonly isTls: boolean;
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** Always 0 in a cluster. */
  readonly db: number;
}

export interface RedisAddress {
  readonly host: string;
  readonly port: number;
}

const defaultPort = 6379;
const protocols = ['redis:', 'rediss:'];

/**
 * Reads `redis://[user:password@]host[:port][/db]`, `rediss://…` for TLS, or several of them with commas between.
 * @throws naming the place in the list and what is allowed, never the text: it may hold a password
 */
export function parseRedisUrl(url: string): RedisTarget {
  const entries = url.split(',').map((entry, index) => parseEntry(entry.trim(), `Redis URL ${index + 1}`));
  const first = entries[0]!;
  const isCluster = entries.length > 1;
  for (const [index, entry] of entries.entries()) {
    const isAlike =
      entry.isTls === first.isTls && entry.username === first.username && entry.password === first.password;
    if (!isAlike)
      throw new Error(`Redis URL ${index + 1} must have the scheme, user and password of the first one`);
    if (isCluster && entry.db !== 0)
      throw new Error(
        `Redis URL ${index + 1} names database ${entry.db}: a Redis Cluster has database 0 only`,
      );
  }
  const seeds = entries.map(({ host, port }) => ({ host, port }));
  return {
    seeds,
    isCluster,
    isTls: first.isTls,
    username: first.username,
    password: first.password,
    db: first.db,
  };
}

function parseEntry(text: string, name: string): Omit<RedisTarget, 'seeds' | 'isCluster'> & RedisAddress {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !protocols.includes(url.protocol) || url.hostname === '')
    throw new Error(`${name} must be redis://[user:password@]host[:port][/db], or rediss:// for TLS`);
  if (url.search !== '' || url.hash !== '')
    throw new Error(`${name} must end with the database: no query and no fragment`);
  const db = /^\/?(\d{0,5})$/.exec(url.pathname)?.[1];
  if (db === undefined) throw new Error(`${name} must have a database number as its path, such as /0`);
  if (url.username !== '' && url.password === '')
    throw new Error(
      `${name} has a user without a password: write redis://:password@host for the default user`,
    );
  return {
    // An IPv6 address stands in brackets in a URL only.
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? defaultPort : Number(url.port),
    isTls: url.protocol === 'rediss:',
    username: decode(url.username, name),
    password: decode(url.password, name),
    db: Number(db),
  };
}

function decode(text: string, name: string): string | undefined {
  try {
    return text === '' ? undefined : decodeURIComponent(text);
  } catch {
    throw new Error(`${name} has a user or password with a % that starts no percent-encoded character`);
  }
}
