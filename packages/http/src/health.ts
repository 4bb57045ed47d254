import { limits } from '@bandit/contracts';
import type { FastifyInstance } from 'fastify';
import type { Registry } from 'prom-client';

export interface HealthOptions {
  /** True while that part can do its job. Each has a second to say so. */
  readonly checks: Readonly<Record<string, () => boolean | Promise<boolean>>>;
  /** True from the first moment of shutting down: load balancers look away. */
  readonly isDraining: () => boolean;
  readonly registry: Registry;
}

/** `/livez`, `/healthz` (the process is up), `/readyz` (it can do its job; 503 with the states else) and `/metrics`. */
export function registerHealth(app: FastifyInstance, options: HealthOptions): void {
  const route = { schema: { hide: true }, config: { isUnlimited: true } };
  app.get('/livez', route, () => ({ status: 'ok' }));
  app.get('/healthz', route, () => ({ status: 'ok' }));
  app.get('/readyz', route, async (_request, reply) => {
    const states = await readStates(options);
    const isReady = Object.values(states).every((state) => state);
    if (!isReady) reply.code(503).header('retry-after', '1');
    return { status: isReady ? 'ready' : 'not ready', checks: states };
  });
  app.get('/metrics', route, async (_request, reply) => {
    reply.type(options.registry.contentType);
    return options.registry.metrics();
  });
}

async function readStates(options: HealthOptions): Promise<Record<string, boolean>> {
  const entries = Object.entries(options.checks).map(
    async ([name, check]) => [name, await withinDeadline(check)] as const,
  );
  return { accepting: !options.isDraining(), ...Object.fromEntries(await Promise.all(entries)) };
}

async function withinDeadline(check: () => boolean | Promise<boolean>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(resolve, limits.healthCheckTimeoutMs, false);
  });
  try {
    return await Promise.race([Promise.resolve().then(check), late]);
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
  }
}
