import { limits } from '@bandit/contracts';
import type { FastifyInstance } from 'fastify';

const lookEveryMs = 10;

/**
 * Between the decision to close and the end of listening: a moment in which requests on open connections are still
 * answered, each with `connection: close` (Fastify's own doing by then), so that clients let go by themselves. Closing
 * an idle connection at once would reset whatever a client is sending on it just then.
 */
export function useDraining(app: FastifyInstance): void {
  app.addHook('preClose', (done) => {
    if (!app.server.listening) return done();
    let looksLeft = Math.ceil(limits.drainTimeoutMs / lookEveryMs);
    const look = (): void => {
      app.server.getConnections((error, nConnections) => {
        looksLeft -= 1;
        if (error || nConnections === 0 || looksLeft <= 0) done();
        else setTimeout(look, lookEveryMs);
      });
    };
    look();
  });
}
