/**
 * The kinds of platform that the same test runs on: `embedded` is what `start` gives on a machine without any store,
 * `real` the same single process on Postgres, NATS and Redis, `fleet` two processes of everything behind the gateway.
 */
import type { Test } from 'tap';
import { startFleet, whyNoStores } from '../fleet/start-fleet.ts';
import { makeDataDir, startChild } from './child-platform.ts';
import { productionSecrets, signSession } from './production.ts';
import { openRealStores } from './real-stores.ts';

export const kinds = ['embedded', 'real', 'fleet'] as const;
export type Kind = (typeof kinds)[number];

export interface RunningPlatform {
  readonly kind: Kind;
  readonly url: string;
  readonly apiKey: string;
  /** Headers of somebody's session, in a way that this kind takes with its defaults. */
  sessionOf(email: string): Readonly<Record<string, string>>;
  /** The processes that ended since the start, by name. */
  findEnded(): string[];
  /** All that it printed. */
  output(): string;
}

export interface KindOptions {
  /** Over what every platform of the kind has. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts a platform of the kind, which is gone with the test. */
export function startKind(t: Test, kind: Kind, options: KindOptions = {}): Promise<RunningPlatform> {
  if (kind === 'fleet') return startAsFleet(t, options);
  return kind === 'real' ? startReal(t, options) : startEmbedded(t, options);
}

/** A sub-test on a platform of the kind: a loud skip where its stores are missing, a failure where CI_REQUIRE_STORES=1. */
export async function testOn(
  t: Test,
  kind: Kind,
  work: (t: Test, platform: RunningPlatform) => Promise<void>,
  options: KindOptions = {},
): Promise<void> {
  await testWithStores(t, kind, async (t) => work(t, await startKind(t, kind, options)));
}

/** The same for a test that starts its platform itself. */
export async function testWithStores(t: Test, kind: Kind, work: (t: Test) => Promise<void>): Promise<void> {
  const name = `on the kind ${kind}`;
  const reason = kind === 'embedded' ? undefined : await whyNoStores();
  if (reason !== undefined && process.env.CI_REQUIRE_STORES !== '1') {
    console.warn(`NOT TESTED ON REAL STORES: ${t.name}, ${name} (${reason})`);
    await t.test(name, { skip: `a store is missing: ${reason}` }, () => undefined);
    return;
  }
  await t.test(name, async (t: Test) => {
    if (reason !== undefined) throw new Error(`CI_REQUIRE_STORES=1, but a store is missing: ${reason}`);
    await work(t);
  });
}

async function startEmbedded(t: Test, { env }: KindOptions): Promise<RunningPlatform> {
  const child = await startChild(t, await makeDataDir(t), env);
  return {
    kind: 'embedded',
    url: child.url,
    apiKey: child.apiKey as string,
    sessionOf: (email) => ({ 'x-user-email': email }),
    findEnded: () => (child.hasEnded() ? ['platform'] : []),
    output: child.messages,
  };
}

async function startReal(t: Test, { env }: KindOptions): Promise<RunningPlatform> {
  const stores = await openRealStores(t);
  const child = await startChild(t, await makeDataDir(t), { ...stores, ...productionSecrets, ...env });
  return {
    kind: 'real',
    url: child.url,
    apiKey: child.apiKey as string,
    sessionOf: signSession,
    findEnded: () => (child.hasEnded() ? ['platform'] : []),
    output: child.messages,
  };
}

async function startAsFleet(t: Test, { env }: KindOptions): Promise<RunningPlatform> {
  const fleet = await startFleet(t, { env: { ...productionSecrets, ...env } });
  return {
    kind: 'fleet',
    url: fleet.url,
    apiKey: fleet.apiKey,
    sessionOf: signSession,
    // The supervisor tells it of every process; one that is there again was gone too.
    findEnded: () => [
      ...[...fleet.output().matchAll(/"name":"([\w-]+)".*"msg":"a process ended/g)].map(
        ([, name]) => `${name}`,
      ),
      ...(isAlive(fleet.pid) ? [] : ['supervisor']),
    ],
    output: fleet.output,
  };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
