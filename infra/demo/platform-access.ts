import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { pino } from 'pino';
import type { PlatformAccess } from './platform-client.ts';
import { sessionHeader } from './session-header.ts';

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

/** In this process, on a free port of the loopback interface, with nothing of the caller's environment. */
async function startEmbedded(): Promise<OpenPlatform> {
  // Loaded only here: a mistake on the command line, or a platform elsewhere, need not wait a second for it.
  const [{ loadConfig }, { startPlatform }] = await Promise.all([
    import('@bandit/config'),
    import('../local/start.ts'),
  ]);
  const dataDir = await mkdtemp(join(tmpdir(), 'bandit-demo-'));
  const removeData = () => rm(dataDir, { recursive: true, force: true });
  try {
    const platform = await startPlatform({
      config: loadConfig({ DATA_DIR: dataDir, PORT: '0', LOG_LEVEL: 'warn' }),
      version: 'demo',
      // Standard output is for the result.
      log: pino({ level: 'warn', base: null }, pino.destination(2)),
      monotonicMs: () => performance.now(),
      machineMs: () => Date.now(),
      rng: Math.random,
      onLost: (error) => {
        throw error;
      },
    });
    const { apiKey, adminEmail } = platform.firstRun!;
    return {
      access: { url: platform.url, apiKey, session: { name: 'x-user-email', value: adminEmail } },
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
