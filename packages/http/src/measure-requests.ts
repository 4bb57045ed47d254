import type { ErrorCode } from '@bandit/contracts';
import type { FastifyInstance } from 'fastify';
import { Counter, Gauge, type Metric, type Registry } from 'prom-client';
import { Durations } from './durations.ts';

const boundsSeconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

/** Why a request was turned away before its handler had answered. */
export type Refusal = 'event_loop' | 'peer_rate' | 'caller_rate' | 'deadline' | 'body_deadline';

const refusals: readonly Refusal[] = ['event_loop', 'peer_rate', 'caller_rate', 'deadline', 'body_deadline'];

export interface RequestMetrics {
  countError(code: ErrorCode): void;
  countRefusal(refusal: Refusal): void;
  /** Both are read when the registry is scraped. */
  watch(readings: { nInFlight(): number; eventLoopDelaySeconds(): number }): void;
}

/** `bandit_http_…` and `bandit_build_info`: bounded label values only, whoever asks for whatever. */
export function createRequestMetrics(
  registry: Registry,
  { service, version }: { readonly service: string; readonly version: string },
): RequestMetrics {
  const registers = [registry];
  new Gauge({
    name: 'bandit_build_info',
    help: 'Always 1; the labels say what runs.',
    labelNames: ['version', 'service'],
    registers,
  }).set({ version, service }, 1);
  const errors = new Counter({
    name: 'bandit_http_errors_total',
    help: 'Failures answered, by the code in the body.',
    labelNames: ['service', 'code'],
    registers,
  });
  const refused = new Counter({
    name: 'bandit_http_refused_requests_total',
    help: 'Requests turned away by what keeps this process alive, by what that was.',
    labelNames: ['service', 'reason'],
    registers,
  });
  // From zero on, so that the first refusal is an increase.
  for (const reason of refusals) refused.inc({ service, reason }, 0);
  return {
    countError: (code) => errors.inc({ service, code }),
    countRefusal: (reason) => refused.inc({ service, reason }),
    watch: ({ nInFlight, eventLoopDelaySeconds }) => {
      const gauge = (name: string, help: string, read: () => number): void => {
        new Gauge({
          name: `bandit_http_${name}`,
          help,
          labelNames: ['service'],
          registers,
          collect() {
            this.set({ service }, read());
          },
        });
      };
      gauge('in_flight_requests', 'Requests that wait for their answer.', nInFlight);
      gauge(
        'event_loop_delay_seconds',
        'Mean lateness of the event loop in the last look of half a second; sheds requests when high.',
        eventLoopDelaySeconds,
      );
    },
  };
}

/** `bandit_http_request_duration_seconds` by service, method, route and status class. */
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
