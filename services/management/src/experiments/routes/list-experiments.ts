import { experimentSchema, succeed } from '@bandit/contracts';
import { Type } from '@sinclair/typebox';
import { answers } from '../../answers.ts';
import type { App } from '../../app.ts';
import { experimentExample } from '../../examples.ts';
import type { ManagementDeps } from '../../management-deps.ts';
import { presentExperiment } from '../present-experiment.ts';
import { getExperiments } from '../read-experiments.ts';

export function registerListExperiments(app: App, deps: ManagementDeps): void {
  app.get(
    '/experiments',
    {
      onRequest: deps.access.session,
      schema: {
        operationId: 'listExperiments',
        tags: ['Experiments'],
        summary: 'All experiments of the company with their live treatments, newest first',
        response: answers(200, Type.Array(experimentSchema), [experimentExample]),
      },
    },
    async (request) => {
      const { companyId } = deps.access.callerOf(request);
      const found = await getExperiments(deps.db, companyId);
      return succeed(found.map(presentExperiment), deps.nowMs());
    },
  );
}
