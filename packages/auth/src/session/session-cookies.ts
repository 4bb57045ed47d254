import { limits } from '@bandit/contracts';
import { parseCookie } from 'cookie';

/** How a cookie's value is to be read. */
export type CookieKind = 'nextauth-v4' | 'authjs-v5' | 'jwt';

export interface SessionCookie {
  readonly kind: CookieKind;
  /** Without the chunk's number: the salt of v5. */
  readonly name: string;
  readonly value: string;
}

export const jwtCookieName = 'bandit.session-token';

const bases: readonly { readonly kind: CookieKind; readonly name: string }[] = [
  { kind: 'authjs-v5', name: 'authjs.session-token' },
  { kind: 'nextauth-v4', name: 'next-auth.session-token' },
  { kind: 'jwt', name: jwtCookieName },
];
/** What a browser lets only a secure page set comes first. */
const names = bases.flatMap(({ kind, name }) =>
  ['__Host-', '__Secure-', ''].map((prefix) => ({ kind, name: prefix + name })),
);

/** Every session cookie that a Cookie header carries, whole or put together from its chunks `name.0`, `name.1` … */
export function findSessionCookies(header: string | undefined): SessionCookie[] {
  if (header === undefined) return [];
  const cookies = parseCookie(header);
  return names.flatMap(({ kind, name }) => {
    const value = cookies[name] ?? joinChunks(cookies, name);
    return value === undefined || value.length > limits.sessionTokenBytesMax ? [] : [{ kind, name, value }];
  });
}

/** Contiguous from 0 and at most ten: a gap or an eleventh chunk is no cookie at all. */
function joinChunks(cookies: Record<string, string | undefined>, name: string): string | undefined {
  const chunks = Object.keys(cookies).filter(
    (key) => key.startsWith(`${name}.`) && /^\d+$/.test(key.slice(name.length + 1)),
  );
  if (chunks.length === 0 || chunks.length > limits.sessionCookieChunksMax) return undefined;
  let joined = '';
  for (let i = 0; i < chunks.length; i += 1) {
    const chunk = cookies[`${name}.${i}`];
    if (chunk === undefined) return undefined;
    joined += chunk;
  }
  return joined;
}
