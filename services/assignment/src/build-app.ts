import { toAnswerable } from '@bandit/db';
import type { FastifyPluginAsync } from 'fastify';
import type { AssignmentRuntime } from './assignment-runtime.ts';
import type { App, KeyGuard } from './routes/app.ts';
import { registerCreateAssignment } from './routes/create-assignment.ts';
import { registerGetAssignment } from './routes/get-assignment.ts';
import { registerHeadAssignment } from './routes/head-assignment.ts';
import { createParseContext } from './routes/parse-context.ts';
import type { ReplyDeps } from './routes/reply-with-assignment.ts';

export interface AssignmentAppDeps extends Omit<ReplyDeps, 'assigner'> {
  keyGuard: KeyGuard;
  runtime: Pick<AssignmentRuntime, 'assigner'>;
}

/** The assignment routes as a plugin. It opens nothing; the caller owns the runtime. */
export function buildApp(deps: AssignmentAppDeps): FastifyPluginAsync {
  const { keyGuard, runtime, ...rest } = deps;
  const replyDeps: ReplyDeps = { ...rest, assigner: runtime.assigner };
  return async (fastify) => {
    const app = fastify as App;
    // Thrown on to the server's own handler, which writes the envelope.
    app.setErrorHandler((error) => {
      throw toAnswerable(error);
    });
    const parseContext = createParseContext(app);
    registerCreateAssignment(app, keyGuard, replyDeps);
    registerGetAssignment(app, keyGuard, replyDeps, parseContext);
    registerHeadAssignment(app, keyGuard, replyDeps, parseContext);
  };
}
