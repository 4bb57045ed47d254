import type { FastifyInstance } from 'fastify';
import { Histogram, type Registry } from 'prom-client';

const buckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

/** `bandit_http_request_duration_seconds` by service, method, route and status class: bounded label values only. */
export function measureRequests(app: FastifyInstance, registry: Registry, service: string): void {
  const histogram = new Histogram({
    name: 'bandit_http_request_duration_seconds',
    help: 'Time from the request line to the end of the answer.',
    labelNames: ['service', 'method', 'route', 'status'],
    buckets,
    registers: [registry],
  });
  const children = new Map<string, { observe(seconds: number): void }>();
  app.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'unknown';
    const status = `${Math.floor(reply.statusCode / 100)}xx`;
    const key = `${request.method} ${route} ${status}`;
    let child = children.get(key);
    if (child === undefined) {
      child = histogram.labels(service, request.method, route, status);
      children.set(key, child);
    }
    child.observe(reply.elapsedTime / 1000);
    done();
  });
}
