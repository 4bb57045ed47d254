import { experimentParamsSchema, experimentSchema, succeed } from '@bandit/contracts';
import { answers } from '../../answers.ts';
import type { App } from '../../app.ts';
import { experimentExample } from '../../examples.ts';
import type { ManagementDeps } from '../../management-deps.ts';
import { presentExperiment } from '../present-experiment.ts';
import { getExperiment } from '../read-experiments.ts';

export function registerGetExperiment(app: App, deps: ManagementDeps): void {
  app.get(
    '/experiments/:id',
    {
      onRequest: deps.access.session,
      schema: {
        operationId: 'getExperiment',
        tags: ['Experiments'],
        summary: 'One experiment with its live treatments',
        params: experimentParamsSchema,
        response: answers(200, experimentSchema, experimentExample, [404]),
      },
    },
    async (request) => {
      const { companyId } = deps.access.callerOf(request);
      const found = await getExperiment(deps.db, companyId, request.params.id);
      return succeed(presentExperiment(found), deps.nowMs());
    },
  );
}
