/** What is killed, in which order, and what must hold before the next. Each kill is SIGKILL; everything comes back on its own data. */
import type { NatsServer, RedisClusterNode } from '@bandit/test-stores';
import type { RunningFleet } from '../fleet/start-fleet.ts';
import type { Driver } from './drive.ts';
import type { Journal } from './journal.ts';
import type { Clusters } from './start-clusters.ts';
import { eventsStream, type StreamView } from './streams.ts';
import { waitFor } from './wait-for.ts';

export interface Scene {
  readonly clusters: Clusters;
  readonly streams: StreamView;
  readonly fleet: RunningFleet;
  readonly journal: Journal;
  readonly driver: Driver;
}

/** Times of one monotonic clock, milliseconds. */
export interface Outage {
  readonly what: string;
  readonly nKilled: number;
  readonly killedMs: number;
  /** What was killed runs again. */
  readonly backMs: number;
  /** Every replica is up to date again. */
  readonly wholeMs: number;
  readonly hadNoPostgres: boolean;
  /** Of the NATS server; see `startAgain`. */
  readonly nStarts: number;
}

/** Answers 2xx that have to come while something is dead. */
const nOkWhileDown = 120;
/** Generous: the figures are measured, these end a test that hangs. */
const progressMsMax = 60_000;
const wholeMsMax = 90_000;
const nStartsMax = 3;

/** Each server in turn. */
export async function killNatsServers(scene: Scene): Promise<Outage[]> {
  const outages: Outage[] = [];
  for (const [index, server] of scene.clusters.nats.servers.entries())
    outages.push(await outage(scene, `NATS server ${index + 1}`, { server }));
  return outages;
}

/** Each that is a master now, in turn; its replica takes over meanwhile. */
export async function killRedisMasters(scene: Scene): Promise<Outage[]> {
  const outages: Outage[] = [];
  for (const [index, master] of (await scene.clusters.redis.masters()).entries())
    outages.push(await outage(scene, `Redis master ${index + 1}`, { master }));
  return outages;
}

export async function killOneOfEach(scene: Scene, round: number): Promise<Outage> {
  const { nats, redis } = scene.clusters;
  const masters = await redis.masters();
  const server = nats.servers[round % nats.servers.length];
  const master = masters[round % masters.length];
  return outage(scene, 'a NATS server and a Redis master at once', { server, master });
}

interface Victims {
  readonly server?: NatsServer | undefined;
  readonly master?: RedisClusterNode | undefined;
}

async function outage(scene: Scene, what: string, victims: Victims): Promise<Outage> {
  const { streams } = scene;
  const all = [victims.server, victims.master].filter((victim) => victim !== undefined);
  const nStored = await streams.lastSequence(eventsStream);
  const killedMs = performance.now();
  await Promise.all(all.map((victim) => victim.kill('SIGKILL')));
  await waitForOk(scene, killedMs, what);
  const takesMore = async () => (await streams.lastSequence(eventsStream)) > nStored;
  await waitFor(`EVENTS takes more without ${what}`, takesMore, progressMsMax);
  if (victims.master !== undefined) await waitForFailover(scene, victims.master);
  const starting = [victims.server && startAgain(victims.server), victims.master?.restart()] as const;
  const nStarts = (await Promise.all(starting))[0] ?? 0;
  const backMs = performance.now();
  const wholeMs = await waitUntilWhole(scene, what);
  return { what, nKilled: all.length, killedMs, backMs, wholeMs, hadNoPostgres: false, nStarts };
}

/**
 * A nats-server 2.9 that was killed may come back and say for ever that the consumer of RECORDS "is not current", while the
 * other two serve it: started once more it is. A liveness probe on /healthz does the same.
 *
 * @returns how often it was started
 */
export async function startAgain(server: NatsServer): Promise<number> {
  for (let nStarts = 1; ; nStarts += 1) {
    try {
      await server.restart();
      return nStarts;
    } catch (error) {
      if (nStarts >= nStartsMax) throw error;
    }
  }
}

export async function waitForOk({ journal }: Scene, sinceMs: number, what: string): Promise<void> {
  const nOk = () =>
    journal.operations.filter(({ startMs, status }) => startMs >= sinceMs && status < 300 && status > 0)
      .length;
  await waitFor(`${nOkWhileDown} answers without ${what}`, () => nOk() >= nOkWhileDown, progressMsMax);
}

async function waitForFailover({ clusters }: Scene, lost: RedisClusterNode): Promise<void> {
  const { redis } = clusters;
  const isReplaced = async () => {
    const masters = await redis.masters();
    return masters.length === 3 && !masters.some(({ port }) => port === lost.port);
  };
  await waitFor('a replica takes over', isReplaced, wholeMsMax);
}

/** @returns when */
export async function waitUntilWhole({ clusters, streams }: Scene, what: string): Promise<number> {
  await Promise.all([clusters.nats.waitUntilWhole(), clusters.redis.waitUntilWhole()]);
  await waitFor(`the streams are whole after ${what}`, streams.areWhole, wholeMsMax);
  return performance.now();
}
