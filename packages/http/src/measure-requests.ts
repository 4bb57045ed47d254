import type { FastifyInstance } from 'fastify';
import type { Metric, Registry } from 'prom-client';
import { Durations } from './durations.ts';

const boundsSeconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

/** `bandit_http_request_duration_seconds` by service, method, route and status class: bounded label values only. */
export function measureRequests(app: FastifyInstance, registry: Registry, service: string): void {
  const durations = new Durations(
    'bandit_http_request_duration_seconds',
    'Time from the request line to the end of the answer.',
    boundsSeconds,
  );
  registry.registerMetric(durations as unknown as Metric);
  const series = new Map<string, (seconds: number) => void>();
  app.addHook('onResponse', (request, reply, done) => {
    const { url } = request.routeOptions;
    // A route that does not exist may be asked for with any method: one series for all.
    const method = url === undefined ? 'any' : request.method;
    const route = url ?? 'unknown';
    const status = `${Math.floor(reply.statusCode / 100)}xx`;
    const key = `${method} ${route} ${status}`;
    let observe = series.get(key);
    if (observe === undefined) {
      observe = durations.createSeries({ service, method, route, status });
      series.set(key, observe);
    }
    observe(reply.elapsedTime / 1000);
    done();
  });
}
