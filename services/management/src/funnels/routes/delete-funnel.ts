import { funnelSchema, idSchema, succeed } from '@bandit/contracts';
import { Type } from '@sinclair/typebox';
import { answers } from '../../answers.ts';
import type { App } from '../../app.ts';
import { funnelExample } from '../../examples.ts';
import type { ManagementDeps } from '../../management-deps.ts';
import { deleteFunnel } from '../change-funnels.ts';
import { presentFunnel } from '../present-funnel.ts';

export function registerDeleteFunnel(app: App, deps: ManagementDeps): void {
  app.delete(
    '/funnels/:id',
    {
      onRequest: deps.access.session,
      schema: {
        operationId: 'deleteFunnel',
        tags: ['Funnels'],
        summary: 'Delete a funnel; its experiments stay',
        params: Type.Object({ id: idSchema }),
        response: answers(200, funnelSchema, funnelExample, [400, 404]),
      },
    },
    async (request) => {
      const deleted = await deleteFunnel(deps, deps.access.callerOf(request), request.params.id);
      return succeed(presentFunnel(deleted), deps.nowMs());
    },
  );
}
