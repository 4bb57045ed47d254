/**
 * A NATS server of a test's own, with JetStream on: its store, configuration and log in one folder, so that the test may
 * kill, stop, restart and empty it. It holds the process that runs now; only the handle's own calls change it, one after
 * the other.
 */
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findNatsServer } from './find-nats-server.ts';
import { findFreePorts } from './free-ports.ts';
import { endNats, hangNats, spawnNats, waitUntilHealthy } from './nats-process.ts';

export interface NatsOptions {
  /** Kept at `stop`. Default: a new one, removed at `stop`. */
  readonly dir?: string;
  /** Default: a free one. */
  readonly port?: number;
  /** Credentials that a client must bring: they are in `url`. */
  readonly user?: { readonly name: string; readonly password: string };
  /** False: a server without JetStream. Default: true. */
  readonly hasJetStream?: boolean;
  /** Further lines of its configuration, such as `max_payload: 1000`. */
  readonly settings?: readonly string[];
  /** One server of a cluster: see `startNatsCluster`. */
  readonly cluster?: NatsClusterPlace;
}

export interface NatsClusterPlace {
  readonly serverName: string;
  readonly routePort: number;
  /** Route ports of all servers. */
  readonly routePorts: readonly number[];
  /** A cluster is healthy only once a majority runs: then the caller waits. */
  readonly mustWait: boolean;
}

export interface NatsServer {
  readonly url: string;
  readonly dir: string;
  readonly port: number;
  /** HTTP: /healthz, /jsz, /connz … */
  readonly monitorPort: number;
  /** Of the process that runs now. */
  readonly pid: number;
  /** Sends the signal; resolves when the server is gone, or stopped, where the signal does that. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /**
   * Ends what runs (SIGTERM), unless it is dead already, and starts again on the same port. Resolves when it answers.
   * With `empty` all that JetStream kept is deleted in between.
   */
  restart(options?: { readonly empty?: boolean }): Promise<void>;
  /** Ends it for good and removes the folder, unless the caller gave it. */
  stop(): Promise<void>;
}

/** @throws when no nats-server is installed (ask `hasNatsServer` before), or when it does not start: with its log */
export async function startNats(options: NatsOptions = {}): Promise<NatsServer> {
  const binary = findNatsServer();
  if (binary === undefined) throw new Error('no nats-server is installed here');
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), 'bandit-nats-'));
  const [freePort, monitorPort] = (await findFreePorts(2)) as [number, number];
  const port = options.port ?? freePort;
  const files = { config: join(dir, 'nats.conf'), log: join(dir, 'server.log'), store: join(dir, 'store') };
  mkdirSync(dir, { recursive: true });
  writeFileSync(files.config, describeServer({ port, monitorPort, store: files.store, options }));

  const start = async (mustWait: boolean): Promise<ChildProcess> => {
    const started = await spawnNats(binary, files.config, files.log);
    if (mustWait) await waitUntilHealthy(started, monitorPort, files.log);
    return started;
  };
  let server = await start(options.cluster?.mustWait ?? true);
  const { user } = options;
  return {
    url: `nats://${user === undefined ? '' : `${user.name}:${user.password}@`}127.0.0.1:${port}`,
    dir,
    port,
    monitorPort,
    get pid() {
      return server.pid!;
    },
    kill: async (signal) => {
      if (['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGABRT'].includes(signal))
        return endNats(server, signal);
      if (signal === 'SIGSTOP') return hangNats(server);
      server.kill(signal);
    },
    restart: async ({ empty = false } = {}) => {
      await endNats(server, 'SIGTERM');
      if (empty) rmSync(files.store, { recursive: true, force: true });
      server = await start(true);
    },
    stop: async () => {
      await endNats(server, 'SIGKILL');
      if (options.dir === undefined) rmSync(dir, { recursive: true, force: true });
    },
  };
}

function describeServer(place: {
  readonly port: number;
  readonly monitorPort: number;
  readonly store: string;
  readonly options: NatsOptions;
}): string {
  const { port, monitorPort, store, options } = place;
  const { cluster, user, hasJetStream = true, settings = [] } = options;
  return [
    `listen: "127.0.0.1:${port}"`,
    `http: "127.0.0.1:${monitorPort}"`,
    `server_name: "${cluster?.serverName ?? `test-${port}`}"`,
    ...(hasJetStream ? [`jetstream { store_dir: "${store}", max_mem: 64MB, max_file: 4GB }`] : []),
    ...(user === undefined ? [] : [`authorization { user: "${user.name}", password: "${user.password}" }`]),
    ...(cluster === undefined ? [] : describeCluster(cluster)),
    ...settings,
    '',
  ].join('\n');
}

function describeCluster({ routePort, routePorts }: NatsClusterPlace): string[] {
  const routes = routePorts.map((port) => `"nats://127.0.0.1:${port}"`).join(', ');
  return [`cluster { name: "test", listen: "127.0.0.1:${routePort}", routes: [${routes}] }`];
}
