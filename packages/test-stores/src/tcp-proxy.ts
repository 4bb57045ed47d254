/**
 * A TCP proxy on the loopback address that makes one store slow, silent, broken or unreachable for a test. It holds the
 * faults that are set now and the connections that are open; only the handle's own calls change the faults, and each
 * applies to open connections too. Nothing outlives `close`.
 */
import { createServer, type Server } from 'node:net';
import { findFreePort } from './find-free-port.ts';
import { type ProxyFaults, ProxyLink } from './proxy-link.ts';

export interface TcpProxyOptions {
  /** On 127.0.0.1. */
  readonly targetPort: number;
  /** Default: a free one. */
  readonly port?: number;
}

export interface TcpProxy {
  readonly port: number;
  /** Connections that are open now. */
  connections(): number;
  /** Added to each round trip, half in each direction. 0: none. */
  setLatencyMs(ms: number): void;
  /**
   * Connections are accepted, bytes vanish, and so does the end of a connection. Those that lost something are cut when
   * it is lifted: a stream with a hole in it would show what no network shows.
   */
  blackhole(isOn: boolean): void;
  /** Each connection is cut once this many more bytes passed it, both directions together. undefined: no more. */
  cutAfterBytes(bytes: number | undefined): void;
  /** New connections get ECONNREFUSED; open ones stay. */
  refuse(isOn: boolean): Promise<void>;
  cutAll(): void;
  close(): Promise<void>;
}

export async function startTcpProxy({ targetPort, port: given }: TcpProxyOptions): Promise<TcpProxy> {
  const port = given ?? (await findFreePort());
  const faults: ProxyFaults = { latencyMs: 0, isBlackhole: false, cutAfterBytes: undefined };
  const links = new Set<ProxyLink>();
  const cutAll = () => {
    for (const link of links) link.cut();
  };
  const open = () =>
    listen(port, (server) =>
      server.on('connection', (client) => {
        const link = new ProxyLink(client, targetPort, faults, () => links.delete(link));
        links.add(link);
      }),
    );
  let listener: Server | undefined = await open();
  const refuse = async (isOn: boolean) => {
    if (isOn === (listener === undefined)) return;
    if (isOn) {
      // Its callback waits for open connections; the port is closed at once.
      listener?.close();
      listener = undefined;
    } else listener = await open();
  };
  return {
    port,
    connections: () => links.size,
    setLatencyMs: (ms) => {
      faults.latencyMs = ms;
    },
    blackhole: (isOn) => {
      faults.isBlackhole = isOn;
      if (!isOn) for (const link of links) link.cutIfHoled();
    },
    cutAfterBytes: (bytes) => {
      faults.cutAfterBytes = bytes;
      for (const link of links) link.countAnew();
    },
    refuse,
    cutAll,
    close: async () => {
      await refuse(true);
      cutAll();
    },
  };
}

function listen(port: number, prepare: (server: Server) => void): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    prepare(server);
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}
