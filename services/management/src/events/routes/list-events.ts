import { eventExample, eventSchema, idSchema, limits, paginationSchema, succeed } from '@bandit/contracts';
import { Type } from '@sinclair/typebox';
import { answers } from '../../answers.ts';
import type { App } from '../../app.ts';
import type { ManagementDeps } from '../../management-deps.ts';
import { listEvents } from '../list-events.ts';

export function registerListEvents(app: App, deps: ManagementDeps): void {
  app.get(
    '/events/:experimentId',
    {
      onRequest: deps.access.session,
      schema: {
        operationId: 'listEvents',
        tags: ['Events'],
        summary:
          'History of an experiment, assignments included, newest first; X-Total-Count tells how long it is',
        params: Type.Object({ experimentId: idSchema }),
        querystring: paginationSchema,
        response: answers(200, Type.Array(eventSchema), [eventExample], [400, 404]),
      },
    },
    async (request, reply) => {
      const { companyId } = deps.access.callerOf(request);
      const { limit = limits.eventListLimitDefault, offset = 0 } = request.query;
      const page = { limit, offset };
      const { events, total } = await listEvents(deps, companyId, request.params.experimentId, page);
      return reply.header('x-total-count', total).send(succeed(events, deps.nowMs()));
    },
  );
}
