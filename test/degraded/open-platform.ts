import { openAssignmentIds } from '@bandit/process';
import type { Test } from 'tap';
import { type Client, createClient } from '../platform/client.ts';
import { productionSecrets, signSession } from '../platform/production.ts';
import {
  type ProcessKind,
  type ServiceProcess,
  startProcess,
  waitUntilReady,
} from '../processes/start-processes.ts';
import { type OwnStores, startOwnStores } from '../processes/start-stores.ts';
import { openProxies, type StoreProxy } from './open-proxies.ts';

export const storeNames = ['postgres', 'nats', 'redis'] as const;
export type StoreName = (typeof storeNames)[number];

/** The platform as operated: two assignment processes, one of each other kind, a proxy in front of each store. */
export interface Platform {
  readonly stores: OwnStores;
  readonly proxies: Readonly<Record<StoreName, StoreProxy>>;
  readonly assignments: readonly ServiceProcess[];
  readonly ingest: ServiceProcess;
  readonly learner: ServiceProcess;
  readonly management: ServiceProcess;
  readonly manager: Client;
  clientOf(started: ServiceProcess): Client;
  /** The nonce of an assignment id, in hexadecimal. @throws when the id does not verify */
  readNonce(assignmentId: string): string;
  start(kind: ProcessKind): Promise<ServiceProcess>;
}

export async function openPlatform(t: Test, given?: OwnStores): Promise<Platform> {
  const stores = given ?? (await startOwnStores(t));
  const { postgres, nats, redis } = stores;
  const proxies = await openProxies(t, { postgres: postgres.port, nats: nats.port, redis: redis.port });
  const databaseUrl = new URL(postgres.connectionString);
  databaseUrl.port = String(proxies.postgres.port);
  const env = {
    ...stores.env,
    DATABASE_URL: databaseUrl.href,
    NATS_URL: `nats://127.0.0.1:${proxies.nats.port}`,
    REDIS_URL: `redis://127.0.0.1:${proxies.redis.port}`,
  };
  const start = (kind: ProcessKind) => startProcess(t, kind, env);
  const [one, other, ingest, learner, management] = await Promise.all(
    (['assignment', 'assignment', 'ingest', 'learner', 'management'] as const).map(start),
  );
  const started = [one!, other!, ingest!, learner!, management!];
  await Promise.all(started.map(waitUntilReady));
  const clientOf = ({ url }: ServiceProcess) => createClient(url, stores.apiKey, signSession());
  const readNonce = await openIds(stores);
  return {
    ...{ stores, proxies, assignments: [one!, other!], clientOf, readNonce, start },
    ...{ ingest: ingest!, learner: learner!, management: management! },
    manager: clientOf(management!),
  };
}

async function openIds({ db }: OwnStores): Promise<Platform['readNonce']> {
  const ids = openAssignmentIds({
    db,
    secret: productionSecrets.ASSIGNMENT_SECRET,
    nowMs: Date.now,
    log: { warn: () => undefined },
  });
  await ids.load();
  return (assignmentId) => {
    const fields = ids.verify(assignmentId);
    if (fields === undefined) throw new Error(`${assignmentId} is not an assignment id of this platform`);
    return Buffer.from(fields.nonce).toString('hex');
  };
}
