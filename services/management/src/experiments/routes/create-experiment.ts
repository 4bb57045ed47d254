import { createExperimentSchema, experimentSchema, succeed } from '@bandit/contracts';
import { answers, withExample } from '../../answers.ts';
import type { App } from '../../app.ts';
import { experimentExample } from '../../examples.ts';
import type { ManagementDeps } from '../../management-deps.ts';
import { createExperiment } from '../create-experiment.ts';
import { presentExperiment } from '../present-experiment.ts';

const bodyExample = {
  name: 'Homepage Headline Test',
  description: 'Test different headlines on the landing page',
  algorithm: 'THOMPSON_SAMPLING',
  treatments: [
    { name: 'Control', config: { content: 'Welcome to our platform' }, isControl: true },
    { name: 'Urgency', config: { content: 'Limited time offer - start free today!' } },
  ],
};

export function registerCreateExperiment(app: App, deps: ManagementDeps): void {
  app.post(
    '/experiments',
    {
      onRequest: deps.access.session,
      schema: {
        operationId: 'createExperiment',
        tags: ['Experiments'],
        summary: 'Create an experiment in status draft',
        body: withExample(createExperimentSchema, bodyExample),
        response: answers(201, experimentSchema, experimentExample, [400]),
      },
    },
    async (request, reply) => {
      const created = await createExperiment(deps, deps.access.callerOf(request), request.body);
      return reply.code(201).send(succeed(presentExperiment(created), deps.nowMs()));
    },
  );
}
