import { createTreatmentSchema, experimentParamsSchema, succeed, treatmentSchema } from '@bandit/contracts';
import { answers, withExample } from '../../answers.ts';
import type { App } from '../../app.ts';
import { treatmentExample } from '../../examples.ts';
import type { ManagementDeps } from '../../management-deps.ts';
import { addTreatment } from '../add-treatment.ts';
import { presentTreatment } from '../present-experiment.ts';

const bodyExample = { name: 'Urgency', config: { content: 'Limited time offer - start free today!' } };

export function registerAddTreatment(app: App, deps: ManagementDeps): void {
  app.post(
    '/experiments/:id/treatments',
    {
      onRequest: deps.access.session,
      schema: {
        operationId: 'addTreatment',
        tags: ['Experiments'],
        summary: 'Add a treatment',
        params: experimentParamsSchema,
        body: withExample(createTreatmentSchema, bodyExample),
        response: answers(201, treatmentSchema, treatmentExample, [400, 404]),
      },
    },
    async (request, reply) => {
      const wanted = { experimentId: request.params.id, treatment: request.body };
      const added = await addTreatment(deps, deps.access.callerOf(request), wanted);
      return reply.code(201).send(succeed(presentTreatment(added), deps.nowMs()));
    },
  );
}
