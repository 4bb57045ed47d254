import { hkdfSync } from 'node:crypto';
import { jwtDecrypt } from 'jose';
import type { SessionCookie } from './session-cookies.ts';

const clockToleranceSeconds = 15;

/** How each library derives its key and encrypts. */
const schemes = {
  'nextauth-v4': {
    salt: () => '',
    info: () => 'NextAuth.js Generated Encryption Key',
    keyBytes: 32,
    encryption: 'A256GCM',
  },
  'authjs-v5': {
    salt: (name: string) => name,
    info: (name: string) => `Auth.js Generated Encryption Key (${name})`,
    keyBytes: 64,
    encryption: 'A256CBC-HS512',
  },
} as const;

export interface NextAuthReader {
  /** The claims, or undefined for whatever does not decrypt, has expired or was made with another secret. */
  read(cookie: SessionCookie, nowMs: number): Promise<Record<string, unknown> | undefined>;
}

/** @param secrets newest first; a cookie made with any of them is read, so that a secret can be replaced */
export function createNextAuthReader(secrets: readonly string[]): NextAuthReader {
  const keys = new Map<string, Uint8Array>();
  const keyOf = (secret: string, kind: keyof typeof schemes, name: string): Uint8Array => {
    const id = `${kind} ${name} ${secret}`;
    const known = keys.get(id);
    if (known !== undefined) return known;
    const { salt, info, keyBytes } = schemes[kind];
    const key = new Uint8Array(hkdfSync('sha256', secret, salt(name), info(name), keyBytes));
    keys.set(id, key);
    return key;
  };
  return {
    read: async ({ kind, name, value }, nowMs) => {
      if (kind === 'jwt') return undefined;
      for (const secret of secrets) {
        const payload = await decrypt(value, keyOf(secret, kind, name), schemes[kind].encryption, nowMs);
        if (payload !== undefined) return payload;
      }
      return undefined;
    },
  };
}

async function decrypt(
  token: string,
  key: Uint8Array,
  encryption: string,
  nowMs: number,
): Promise<Record<string, unknown> | undefined> {
  try {
    const { payload } = await jwtDecrypt(token, key, {
      clockTolerance: clockToleranceSeconds,
      currentDate: new Date(nowMs),
      keyManagementAlgorithms: ['dir'],
      contentEncryptionAlgorithms: [encryption],
      requiredClaims: ['exp'],
    });
    return payload;
  } catch {
    // Tampered, expired, foreign or garbage: all the same to the caller.
    return undefined;
  }
}
