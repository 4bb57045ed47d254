import { eventSchema, idSchema, limits, paginationSchema, succeed } from '@bandit/contracts';
import { Type } from '@sinclair/typebox';
import { answers } from '../../answers.ts';
import type { App } from '../../app.ts';
import type { ManagementDeps } from '../../management-deps.ts';
import { listEvents } from '../list-events.ts';

const example = {
  id: 'evt_abc123',
  experimentId: 'exp_abc123',
  treatmentId: 'trt_def456',
  userId: 'user_42',
  eventType: 'CONVERSION',
  value: 29.99,
  metadata: { product: 'premium-plan', assignmentId: 'asgn_xyz789' },
  timestamp: '2026-01-15T10:35:00.000Z',
};

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
        response: answers(200, Type.Array(eventSchema), [example], [400, 404]),
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
