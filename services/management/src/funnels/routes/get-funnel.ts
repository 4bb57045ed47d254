import { funnelDetailSchema, idSchema, succeed } from '@bandit/contracts';
import { Type } from '@sinclair/typebox';
import { answers } from '../../answers.ts';
import type { App } from '../../app.ts';
import { experimentExample, funnelExample } from '../../examples.ts';
import type { ManagementDeps } from '../../management-deps.ts';
import { getFunnel } from '../read-funnels.ts';

const { id, name, status, treatments } = experimentExample;
const example = { ...funnelExample, experiments: [{ id, name, status, treatments }] };

export function registerGetFunnel(app: App, deps: ManagementDeps): void {
  app.get(
    '/funnels/:id',
    {
      onRequest: deps.access.session,
      schema: {
        operationId: 'getFunnel',
        tags: ['Funnels'],
        summary: 'One funnel with its experiments, in order',
        params: Type.Object({ id: idSchema }),
        response: answers(200, funnelDetailSchema, example, [404]),
      },
    },
    async (request) => {
      const { companyId } = deps.access.callerOf(request);
      return succeed(await getFunnel(deps.db, companyId, request.params.id), deps.nowMs());
    },
  );
}
