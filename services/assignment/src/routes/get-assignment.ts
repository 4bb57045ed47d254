import { getPrincipal } from '@bandit/auth';
import { assignmentParamsSchema, getAssignmentQuerySchema } from '@bandit/contracts';
import { assignmentAnswers } from './answers.ts';
import type { App, KeyGuard } from './app.ts';
import { askedByQuery } from './asked-by-query.ts';
import { forbidStoring } from './forbid-storing.ts';
import type { ParseContext } from './parse-context.ts';
import { type ReplyDeps, replyWithAssignment } from './reply-with-assignment.ts';

export function registerGetAssignment(
  app: App,
  keyGuard: KeyGuard,
  deps: ReplyDeps,
  parseContext: ParseContext,
): void {
  app.get(
    '/assignments/:experimentId',
    {
      // HEAD has a route of its own: it must not create anything.
      exposeHeadRoute: false,
      onRequest: [forbidStoring, keyGuard.require('assign')],
      schema: {
        operationId: 'getAssignment',
        tags: ['Assignments'],
        summary: 'Get assignment',
        description: 'As POST /assignments, with query parameters.',
        params: assignmentParamsSchema,
        querystring: getAssignmentQuerySchema,
        response: assignmentAnswers,
      },
    },
    (request, reply) => {
      const { companyId } = getPrincipal(request);
      const asked = askedByQuery(companyId, request.params, request.query, parseContext);
      return replyWithAssignment(deps, reply, asked);
    },
  );
}
