import type { FastifyPluginAsync } from 'fastify';
import type { Access, App } from './accept/routes/app.ts';
import { registerTrackEvent, type TrackDeps } from './accept/routes/track-event.ts';
import { registerTrackEventBatch } from './accept/routes/track-event-batch.ts';

export interface IngestAppDeps extends TrackDeps {
  readonly access: Access;
}

/** The event routes as a plugin. It opens nothing; the caller owns the runtime. */
export function buildApp(deps: IngestAppDeps): FastifyPluginAsync {
  return async (fastify) => {
    const app = fastify as App;
    registerTrackEvent(app, deps.access, deps);
    registerTrackEventBatch(app, deps.access, deps);
  };
}
