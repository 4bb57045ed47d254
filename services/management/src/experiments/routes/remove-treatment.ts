import { idSchema, succeed, treatmentSchema } from '@bandit/contracts';
import { Type } from '@sinclair/typebox';
import { answers } from '../../answers.ts';
import type { App } from '../../app.ts';
import { treatmentExample } from '../../examples.ts';
import type { ManagementDeps } from '../../management-deps.ts';
import { presentTreatment } from '../present-experiment.ts';
import { removeTreatment } from '../remove-treatment.ts';

export function registerRemoveTreatment(app: App, deps: ManagementDeps): void {
  app.delete(
    '/experiments/:id/treatments/:treatmentId',
    {
      onRequest: deps.access.session,
      schema: {
        operationId: 'removeTreatment',
        tags: ['Experiments'],
        summary: 'Take a treatment out of service; its history stays',
        params: Type.Object({ id: idSchema, treatmentId: idSchema }),
        response: answers(200, treatmentSchema, treatmentExample, [400, 404]),
      },
    },
    async (request) => {
      const { id, treatmentId } = request.params;
      const removed = await removeTreatment(deps, deps.access.callerOf(request), id, treatmentId);
      return succeed(presentTreatment(removed), deps.nowMs());
    },
  );
}
