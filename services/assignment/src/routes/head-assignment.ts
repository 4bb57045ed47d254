import { getPrincipal } from '@bandit/auth';
import { assignmentParamsSchema, getAssignmentQuerySchema } from '@bandit/contracts';
import type { App, KeyGuard } from './app.ts';
import { askedByQuery } from './asked-by-query.ts';
import { findActive } from './find-active.ts';
import { forbidStoring } from './forbid-storing.ts';
import type { ParseContext } from './parse-context.ts';
import type { ReplyDeps } from './reply-with-assignment.ts';

/** Answers as GET would, without a body and without deciding anything. */
export function registerHeadAssignment(
  app: App,
  keyGuard: KeyGuard,
  deps: ReplyDeps,
  parseContext: ParseContext,
): void {
  app.head(
    '/assignments/:experimentId',
    {
      onRequest: [forbidStoring, keyGuard.require('assign')],
      schema: {
        hide: true,
        operationId: 'headAssignment',
        params: assignmentParamsSchema,
        querystring: getAssignmentQuerySchema,
      },
    },
    async (request, reply) => {
      const { companyId } = getPrincipal(request);
      const { experimentId } = askedByQuery(companyId, request.params, request.query, parseContext);
      await findActive(deps, companyId, experimentId);
      return reply.type('application/json; charset=utf-8').send();
    },
  );
}
