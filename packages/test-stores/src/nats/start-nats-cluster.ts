import { waitUntil } from '../wait-until.ts';
import { findFreePorts } from './free-ports.ts';
import { healthPath, readMonitor } from './nats-process.ts';
import { type NatsServer, startNats } from './start-nats.ts';

/** Generous: the election of a leader and its first look at its peers, on a busy machine. */
const leaderMsMax = 180_000;

export interface NatsCluster {
  /** The servers' URLs, joined by commas. */
  readonly url: string;
  readonly servers: readonly NatsServer[];
  /** Resolves once the cluster has a leader and every server follows it, so that a stream may have that many replicas. */
  waitUntilWhole(): Promise<void>;
  stop(): Promise<void>;
}

/** A JetStream cluster on loopback, ready for streams of `nServers` replicas. */
export async function startNatsCluster(nServers = 3): Promise<NatsCluster> {
  const routePorts = await findFreePorts(nServers);
  const servers: NatsServer[] = [];
  const stop = async () => {
    await Promise.all(servers.map((server) => server.stop()));
  };
  const waitUntilWhole = () =>
    waitUntil(() => isWhole(servers), leaderMsMax, 'the NATS cluster has no leader that sees every server');
  try {
    for (const [index, routePort] of routePorts.entries()) {
      const cluster = { serverName: `n${index + 1}`, routePort, routePorts, mustWait: false };
      servers.push(await startNats({ cluster }));
    }
    await waitUntilWhole();
  } catch (error) {
    await stop();
    throw error;
  }
  return { url: servers.map(({ url }) => url).join(','), servers, waitUntilWhole, stop };
}

interface JetStreamReport {
  readonly meta_cluster?: {
    readonly cluster_size?: number;
    readonly leader?: string;
    readonly replicas?: readonly { readonly current?: boolean; readonly offline?: boolean }[] | null;
  };
}

async function isWhole(servers: readonly NatsServer[]): Promise<boolean> {
  const reports = await Promise.all(
    servers.map(({ monitorPort }) => readMonitor(monitorPort, 'jsz') as Promise<JetStreamReport | undefined>),
  );
  const healths = await Promise.all(servers.map(({ monitorPort }) => readMonitor(monitorPort, healthPath)));
  if (healths.includes(undefined)) return false;
  const others = servers.length - 1;
  // Only the leader lists the others.
  return reports.some((report) => {
    const following = report?.meta_cluster?.replicas?.filter(
      ({ current, offline }) => current === true && offline !== true,
    );
    return (report?.meta_cluster?.leader ?? '') !== '' && following?.length === others;
  });
}
