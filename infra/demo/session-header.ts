import type { SessionHeader } from './platform-client.ts';

/** An e-mail goes into x-user-email, "name=value" is a cookie, everything else a bearer token. */
export function sessionHeader(session: string): SessionHeader {
  if (/^[^\s=@]+@[^\s=@]+$/.test(session)) return { name: 'x-user-email', value: session };
  if (/^[^\s=;]+=/.test(session) && !/^ey[\w-]+\./.test(session)) return { name: 'cookie', value: session };
  return { name: 'authorization', value: `Bearer ${session}` };
}
