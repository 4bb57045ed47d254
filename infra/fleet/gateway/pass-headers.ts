import type { IncomingHttpHeaders } from 'node:http';

/** Between two neighbours only (RFC 9110, 7.6.1); `expect` is answered by the gateway itself. */
const hopByHop: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
]);
/** What frames or names the request: `Connection` cannot take it away. */
const essential: ReadonlySet<string> = new Set(['host', 'content-length', 'content-type', 'x-request-id']);
const forwarded = /^(?:forwarded|via|x-real-ip|x-forwarded-.*)$/;

/**
 * The headers that an instance gets, as names and values in turn. Built from what Node parsed, so that the instance reads
 * what the gateway read: a header sent twice arrives joined, as it would on the instance itself.
 *
 * @param isTrusted the peer may say who its user is (`x-user-email`) and for whom it forwards
 */
export function requestHeaders(
  headers: IncomingHttpHeaders,
  requestId: string,
  isTrusted: boolean,
): (string | string[])[] {
  const named = namedByConnection(headers.connection);
  const passed: (string | string[])[] = ['x-request-id', requestId];
  for (const name in headers) {
    if (name === 'x-request-id' || hopByHop.has(name)) continue;
    if (named?.has(name) === true && !essential.has(name)) continue;
    if (!isTrusted && (name === 'x-user-email' || forwarded.test(name))) continue;
    const value = headers[name];
    if (value !== undefined) passed.push(name, value);
  }
  return passed;
}

/** The headers of an instance's answer that the client gets. */
export function answerHeaders(
  headers: IncomingHttpHeaders,
  requestId: string,
): Record<string, string | string[]> {
  const named = namedByConnection(headers.connection);
  const passed: Record<string, string | string[]> = {};
  for (const name in headers) {
    if (hopByHop.has(name) || named?.has(name) === true) continue;
    const value = headers[name];
    if (value !== undefined) passed[name] = value;
  }
  passed['x-request-id'] ??= requestId;
  return passed;
}

function namedByConnection(connection: string | undefined): ReadonlySet<string> | undefined {
  if (connection === undefined || connection === 'keep-alive' || connection === 'close') return undefined;
  return new Set(connection.split(',').map((name) => name.trim().toLowerCase()));
}
