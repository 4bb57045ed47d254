import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import type { Test } from 'tap';
import { createGateway, type GatewayOptions } from '../gateway/create-gateway.ts';
import {
  createInstanceTable,
  type Instance,
  type InstanceTable,
  type ServiceName,
} from '../instance-table.ts';

export const nowMs = Date.parse('2026-01-15T10:00:00.000Z');

export interface StandIn {
  readonly instance: Instance;
  readonly server: Server;
  /** Requests that reached it. */
  readonly nRequests: () => number;
}

export interface OpenGateway {
  readonly url: string;
  readonly table: InstanceTable;
  /** For sockets; gone with the test. */
  readonly folder: string;
  readonly port: number;
  /** A server of the test's own in the place of a process of that service, listening and ready. */
  standIn(name: string, service: ServiceName, handler: RequestListener): Promise<StandIn>;
  /** A ready place behind whose socket nobody listens. */
  absent(name: string, service: ServiceName): Instance;
  drain(): Promise<void>;
}

export async function openGateway(t: Test, options: Partial<GatewayOptions> = {}): Promise<OpenGateway> {
  const folder = await mkdtemp(join(tmpdir(), 'bandit-test-'));
  const table = createInstanceTable();
  const servers: Server[] = [];
  let isDraining = false;
  let nIds = 0;
  const app = await createGateway({
    table,
    version: '1.2.3',
    log: false,
    nowMs: () => nowMs,
    monotonicMs: () => performance.now(),
    registry: new Registry(),
    makeRequestId: () => `made-${++nIds}`,
    isProduction: true,
    trustedProxies: undefined,
    rateLimitPerPeer: 0,
    corsOrigins: [],
    isDraining: () => isDraining,
    ...options,
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  t.teardown(async () => {
    for (const server of servers) {
      server.close();
      server.closeAllConnections();
    }
    await app.close();
    await rm(folder, { recursive: true, force: true });
  });
  const { port } = app.server.address() as AddressInfo;
  const place = (name: string, service: ServiceName): { instance: Instance; path: string } => {
    table.declare(name, service);
    const instance = table.add(name, service);
    const path = join(folder, `${name}.sock`);
    table.listen(instance, path);
    instance.state = 'ready';
    return { instance, path };
  };
  return {
    url: `http://127.0.0.1:${port}`,
    table,
    folder,
    port,
    absent: (name, service) => place(name, service).instance,
    standIn: async (name, service, handler) => {
      const { instance, path } = place(name, service);
      let nRequests = 0;
      const server = createServer((request, response) => {
        nRequests += 1;
        handler(request, response);
      });
      servers.push(server);
      await new Promise<void>((resolve) => server.listen(path, resolve));
      return { instance, server, nRequests: () => nRequests };
    },
    drain: async () => {
      isDraining = true;
      await app.close();
    },
  };
}

/** What a stand-in received, as JSON: method, URL, headers as they arrived, body as base64. */
export const echo: RequestListener = (request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const text = JSON.stringify({
      method: request.method,
      url: request.url,
      headers: request.headers,
      body: Buffer.concat(chunks).toString('base64'),
    });
    response.writeHead(200, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(text),
      'x-request-id': request.headers['x-request-id'] ?? 'none',
    });
    response.end(request.method === 'HEAD' ? undefined : text);
  });
};

/** Sends bytes and gives back all that comes until the server closes. */
export function exchange(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(text, 'latin1'));
    let received = '';
    socket.setEncoding('latin1');
    socket.on('data', (chunk) => {
      received += chunk;
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(received));
  });
}

/** Looks again until it holds or the time is up. */
export async function until(holds: () => boolean | Promise<boolean>, withinMs = 10_000): Promise<boolean> {
  const endsAt = performance.now() + withinMs;
  for (;;) {
    if (await holds()) return true;
    if (performance.now() > endsAt) return false;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
