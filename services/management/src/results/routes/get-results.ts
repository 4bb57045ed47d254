import { experimentParamsSchema, resultsSchema, succeed } from '@bandit/contracts';
import { answers } from '../../answers.ts';
import type { App } from '../../app.ts';
import type { ManagementDeps } from '../../management-deps.ts';
import { readResults } from '../read-results.ts';
import { resultsExample } from '../results-example.ts';
import type { ResultsThread } from '../results-thread.ts';

export function registerGetResults(
  app: App,
  deps: ManagementDeps,
  thread: Pick<ResultsThread, 'build'>,
): void {
  app.get(
    '/experiments/:id/results',
    {
      onRequest: deps.access.session,
      schema: {
        operationId: 'getResults',
        tags: ['Experiments'],
        summary: 'What was measured, what it says of each treatment, and whether one has won',
        params: experimentParamsSchema,
        response: answers(200, resultsSchema, resultsExample, [404]),
      },
    },
    async (request) => {
      const { companyId } = deps.access.callerOf(request);
      const nowMs = deps.nowMs();
      const results = await readResults(deps.db, companyId, request.params.id, nowMs, thread.build);
      return succeed(results, nowMs);
    },
  );
}
