/**
 * The processes of the fleet as the gateway sees them. The supervisor writes (a process was started, listens, is ready,
 * drains, is gone), the gateway reads and counts what is under way. In memory of one process; a crash loses nothing that
 * the next start does not learn by asking.
 */
import { limits } from '@bandit/contracts';
import { Pool } from 'undici';

export const serviceNames = ['assignment', 'ingest', 'learner', 'management'] as const;
export type ServiceName = (typeof serviceNames)[number];

/**
 * starting: never was ready; ready; busy: it says itself that it cannot do its job; late: was ready and does not answer
 * now; draining: takes nothing new; stopped: gone.
 */
export type InstanceState = 'starting' | 'ready' | 'busy' | 'late' | 'draining' | 'stopped';

/** One life of one process. */
export interface Instance {
  readonly name: string;
  readonly service: ServiceName;
  state: InstanceState;
  /** Requests that were given to it and are not over. */
  nInFlight: number;
  /** Connections to its socket; undefined until it listens. */
  pool: Pool | undefined;
}

export interface InstanceTable {
  /** A place that the fleet means to keep filled. */
  declare(name: string, service: ServiceName): void;
  /** A new process in that place, beside the one it replaces where there is one. */
  add(name: string, service: ServiceName): Instance;
  listen(instance: Instance, socketPath: string): void;
  /** The process is gone: what it was sent and did not answer has an unknown outcome. */
  remove(instance: Instance): void;
  /** @returns an instance that takes a request now and was not tried; undefined when there is none */
  pick(service: ServiceName, tried?: ReadonlySet<Instance>): Instance | undefined;
  isReady(service: ServiceName): boolean;
  /** The state of every place, by name. */
  states(): Record<string, InstanceState>;
  /** One live, listening instance for every place. */
  listening(): Instance[];
}

export function createInstanceTable(): InstanceTable {
  const places = new Map<string, ServiceName>();
  const live: Record<ServiceName, Instance[]> = { assignment: [], ingest: [], learner: [], management: [] };
  const turns: Record<ServiceName, number> = { assignment: 0, ingest: 0, learner: 0, management: 0 };
  return {
    declare: (name, service) => void places.set(name, service),
    add: (name, service) => {
      const instance: Instance = { name, service, state: 'starting', nInFlight: 0, pool: undefined };
      live[service].push(instance);
      return instance;
    },
    listen: (instance, socketPath) => {
      instance.pool ??= openPool(socketPath);
    },
    remove: (instance) => {
      instance.state = 'stopped';
      live[instance.service] = live[instance.service].filter((other) => other !== instance);
      // Whoever waits for an answer from it hears so now.
      void instance.pool?.destroy().catch(() => undefined);
    },
    pick: (service, tried) => {
      turns[service] += 1;
      const all = live[service];
      return leastBusy(all, turns[service], 'ready', tried) ?? leastBusy(all, turns[service], 'late', tried);
    },
    isReady: (service) => live[service].some((instance) => instance.state === 'ready'),
    states: () =>
      Object.fromEntries([...places].map(([name, service]) => [name, stateOf(name, live[service])])),
    listening: () =>
      [...places].flatMap(([name, service]) => live[service].filter(isListening(name)).slice(-1)),
  };
}

function openPool(socketPath: string): Pool {
  return new Pool('http://localhost', {
    socketPath,
    pipelining: 1,
    connections: limits.gatewayConnectionsPerInstance,
    connectTimeout: limits.gatewayConnectTimeoutMs,
    keepAliveTimeout: limits.gatewayKeepAliveTimeoutMs,
    keepAliveMaxTimeout: limits.gatewayKeepAliveTimeoutMs,
    maxHeaderSize: limits.headerBytesMax,
  });
}

/** The turn breaks ties, so that an idle fleet is used evenly. */
function leastBusy(
  all: readonly Instance[],
  turn: number,
  state: InstanceState,
  tried: ReadonlySet<Instance> | undefined,
): Instance | undefined {
  let best: Instance | undefined;
  for (let i = 0; i < all.length; i += 1) {
    const instance = all[(turn + i) % all.length] as Instance;
    if (instance.state !== state || instance.pool === undefined || tried?.has(instance) === true) continue;
    if (best === undefined || instance.nInFlight < best.nInFlight) best = instance;
  }
  return best;
}

const byPreference: readonly InstanceState[] = ['ready', 'late', 'busy', 'draining', 'starting'];

function stateOf(name: string, all: readonly Instance[]): InstanceState {
  const states = new Set(all.filter((instance) => instance.name === name).map(({ state }) => state));
  return byPreference.find((state) => states.has(state)) ?? 'stopped';
}

function isListening(name: string): (instance: Instance) => boolean {
  return (instance) => instance.name === name && instance.pool !== undefined;
}
