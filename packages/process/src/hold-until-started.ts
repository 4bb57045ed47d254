import { ApiError } from '@bandit/contracts';
import type { HttpServer } from '@bandit/http';

/** Routes that tell of the process itself, and need no store. */
const always = /^\/(livez|healthz|readyz|metrics|openapi\.json|docs)(\/|\?|$)/;

/**
 * Until the process has what it answers from, its routes say so; what it had once it keeps. Called before any route is
 * registered.
 */
export function holdUntilStarted(app: HttpServer, isStarted: () => boolean): void {
  let hasStarted = false;
  app.addHook('onRequest', (request, _reply, done) => {
    hasStarted ||= isStarted();
    if (hasStarted || always.test(request.url)) done();
    else
      done(
        new ApiError('STORE_UNAVAILABLE', 'the process has just started and waits for its stores: try again'),
      );
  });
}
