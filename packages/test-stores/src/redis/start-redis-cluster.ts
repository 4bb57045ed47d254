import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findFreePort } from '../find-free-port.ts';
import { waitUntil } from '../wait-until.ts';
import { RedisProcess } from './redis-process.ts';

const run = promisify(execFile);
const masterCount = 3;
const replicasPerMaster = 1;
/** A node's port for the other nodes is fixed at this distance. */
const busOffset = 10_000;
/** A master this long silent is replaced by its replica. */
const nodeTimeoutMs = 2_000;
const readyMsMax = 60_000;

export interface RedisClusterNode {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  call(...command: readonly string[]): Promise<string>;
  kill(signal: NodeJS.Signals): Promise<void>;
  restart(options?: { readonly empty?: boolean }): Promise<void>;
}

export interface RedisCluster {
  readonly urls: readonly string[];
  readonly nodes: readonly RedisClusterNode[];
  /** Those that answer and say they are masters of slots now. */
  masters(): Promise<RedisClusterNode[]>;
  /** Resolves when every node runs and sees the cluster whole, each master with its replica. */
  waitUntilWhole(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * A Redis Cluster of a test's own: three masters with a replica each on the loopback address, append-only files, keys
 * of living masters served while another is dead.
 */
export async function startRedisCluster(): Promise<RedisCluster> {
  const dir = mkdtempSync(join(tmpdir(), 'bandit-redis-cluster-'));
  const servers: RedisProcess[] = [];
  const stop = async () => {
    await Promise.all(servers.map((server) => server.kill('SIGKILL')));
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    // One after the other: a port is taken only once its server listens.
    while (servers.length < masterCount * (1 + replicasPerMaster)) servers.push(await startNode(dir));
    await joinNodes(servers);
    await waitUntil(() => isWhole(servers), readyMsMax, 'the Redis Cluster does not become whole');
  } catch (error) {
    await stop();
    throw error;
  }
  const nodes = servers.map(describeNode);
  return {
    urls: nodes.map((node) => node.url),
    nodes,
    masters: async () => {
      const areMasters = await Promise.all(servers.map(isMaster));
      return nodes.filter((_, index) => areMasters[index]);
    },
    waitUntilWhole: () =>
      waitUntil(() => isWhole(servers), readyMsMax, 'the Redis Cluster does not become whole again'),
    stop,
  };
}

async function startNode(dir: string): Promise<RedisProcess> {
  const port = await findFreePort([busOffset]);
  const settings = {
    save: '',
    appendonly: 'yes',
    appendfsync: 'everysec',
    'cluster-enabled': 'yes',
    'cluster-config-file': 'nodes.conf',
    'cluster-node-timeout': String(nodeTimeoutMs),
    'cluster-require-full-coverage': 'no',
    // The empty replica of a small test cluster is as good as any.
    'cluster-replica-validity-factor': '0',
  };
  const server = new RedisProcess({ port, dir: join(dir, String(port)), settings });
  await server.start();
  return server;
}

async function joinNodes(servers: readonly RedisProcess[]): Promise<void> {
  const addresses = servers.map(({ port }) => `127.0.0.1:${port}`);
  const replicas = ['--cluster-replicas', String(replicasPerMaster)];
  await run('redis-cli', ['--cluster', 'create', ...addresses, ...replicas, '--cluster-yes'], {
    timeout: readyMsMax,
  });
}

function describeNode(server: RedisProcess): RedisClusterNode {
  return {
    url: `redis://127.0.0.1:${server.port}`,
    port: server.port,
    get pid() {
      return server.pid;
    },
    call: (...command) => server.call(...command),
    kill: (signal) => server.kill(signal),
    restart: (how) => server.restart(how),
  };
}

async function isMaster(server: RedisProcess): Promise<boolean> {
  const nodes = await server.call('CLUSTER', 'NODES').catch(() => '');
  // "<id> <address> myself,master - 0 0 1 connected 0-5460": slots stand at the end.
  return /^\S+ \S+ myself,master - \d+ \d+ \d+ connected \S/m.test(nodes);
}

/** Every node sees all slots served, and every replica has its master's data. */
async function isWhole(servers: readonly RedisProcess[]): Promise<boolean> {
  const views = await Promise.all(
    servers.map(async (server) => {
      const info = await server.call('CLUSTER', 'INFO').catch(() => '');
      const nodes = await server.call('CLUSTER', 'NODES').catch(() => '');
      const replication = await server.call('INFO', 'replication').catch(() => '');
      return (
        /cluster_state:ok/.test(info) &&
        /cluster_slots_ok:16384/.test(info) &&
        nodes.split('\n').length === servers.length &&
        !/fail|handshake/.test(nodes) &&
        /role:master\r?\nconnected_slaves:[1-9]|master_link_status:up/.test(replication)
      );
    }),
  );
  return views.every(Boolean);
}
