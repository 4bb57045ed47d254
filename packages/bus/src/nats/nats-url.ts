export interface NatsTarget {
  /** host:port, without credentials: may be logged. */
  readonly servers: readonly string[];
  readonly isTls: boolean;
  readonly user?: string;
  readonly password?: string;
  readonly token?: string;
}

const shape = 'nats:// or tls:// URLs joined by commas, with user:password@ or token@ if needed';

/** @throws when the text is not a list of NATS URLs; the message names no credentials */
export function parseNatsUrl(text: string): NatsTarget {
  const urls = text.split(',').map((part) => parseOne(part.trim()));
  const withCredentials = urls.filter(({ username }) => username !== '');
  const [first] = withCredentials;
  const areEqual = withCredentials.every(
    ({ username, password }) => username === first?.username && password === first.password,
  );
  if (!areEqual) throw new Error('all NATS URLs must carry the same credentials, or none');
  return {
    servers: urls.map(({ host }) => (/:\d+$/.test(host) ? host : `${host}:4222`)),
    isTls: urls.some(({ protocol }) => protocol === 'tls:'),
    ...(first === undefined ? {} : credentialsOf(first)),
  };
}

function parseOne(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['nats:', 'tls:'].includes(url.protocol) || url.hostname === '')
    throw new Error(`a NATS URL is expected: ${shape}`);
  if (!['', '/'].includes(url.pathname) || url.search !== '')
    throw new Error(`a NATS URL ends with its port: ${shape}`);
  return url;
}

function credentialsOf(url: URL): Pick<NatsTarget, 'user' | 'password' | 'token'> {
  const name = decodeURIComponent(url.username);
  return url.password === '' ? { token: name } : { user: name, password: decodeURIComponent(url.password) };
}
