import { funnelSchema, idSchema, succeed, updateFunnelSchema } from '@bandit/contracts';
import { Type } from '@sinclair/typebox';
import { answers, withExample } from '../../answers.ts';
import type { App } from '../../app.ts';
import { funnelExample } from '../../examples.ts';
import type { ManagementDeps } from '../../management-deps.ts';
import { updateFunnel } from '../change-funnels.ts';
import { presentFunnel } from '../present-funnel.ts';

export function registerUpdateFunnel(app: App, deps: ManagementDeps): void {
  app.put(
    '/funnels/:id',
    {
      onRequest: deps.access.session,
      schema: {
        operationId: 'updateFunnel',
        tags: ['Funnels'],
        summary: 'Change name, description or status',
        params: Type.Object({ id: idSchema }),
        body: withExample(updateFunnelSchema, { status: 'active' }),
        response: answers(200, funnelSchema, { ...funnelExample, status: 'active' }, [400, 404]),
      },
    },
    async (request) => {
      const caller = deps.access.callerOf(request);
      const updated = await updateFunnel(deps, caller, request.params.id, request.body);
      return succeed(presentFunnel(updated), deps.nowMs());
    },
  );
}
