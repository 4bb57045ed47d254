import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPlatform } from '../local/start.ts';
import type { PlatformAccess, SessionHeader } from './platform-client.ts';

export interface OpenPlatform {
  readonly access: PlatformAccess;
  close(): Promise<void>;
}

/** The platform to talk to: the running one that was named, or an embedded one in a temporary folder. */
export async function openPlatform(
  options: { url: string | undefined; key: string | undefined; session: string | undefined },
  say: (message: string) => void,
): Promise<OpenPlatform> {
  const { url, key, session } = options;
  if (url !== undefined && key !== undefined && session !== undefined) {
    const access = { url: url.replace(/\/+$/, ''), apiKey: key, session: sessionHeader(session) };
    return { access, close: () => Promise.resolve() };
  }
  say('Starting a platform in a temporary folder…');
  return startEmbedded();
}

/** An e-mail goes into x-user-email, "name=value" is a cookie, everything else a bearer token. */
export function sessionHeader(session: string): SessionHeader {
  if (/^[^\s=@]+@[^\s=@]+$/.test(session)) return { name: 'x-user-email', value: session };
  if (/^[^\s=;]+=/.test(session) && !/^ey[\w-]+\./.test(session)) return { name: 'cookie', value: session };
  return { name: 'authorization', value: `Bearer ${session}` };
}

async function startEmbedded(): Promise<OpenPlatform> {
  const dataDir = await mkdtemp(join(tmpdir(), 'bandit-demo-'));
  const removeData = () => rm(dataDir, { recursive: true, force: true });
  try {
    const platform = await startPlatform({ dataDir, port: 0 });
    const session: SessionHeader = { name: 'x-user-email', value: platform.adminEmail };
    return {
      access: { url: platform.url, apiKey: platform.apiKey, session },
      async close() {
        await platform.close();
        await removeData();
      },
    };
  } catch (error) {
    await removeData();
    throw error;
  }
}
