import { funnelSchema, succeed } from '@bandit/contracts';
import { Type } from '@sinclair/typebox';
import { answers } from '../../answers.ts';
import type { App } from '../../app.ts';
import { funnelExample } from '../../examples.ts';
import type { ManagementDeps } from '../../management-deps.ts';
import { getFunnels } from '../read-funnels.ts';

export function registerListFunnels(app: App, deps: ManagementDeps): void {
  app.get(
    '/funnels',
    {
      onRequest: deps.access.session,
      schema: {
        operationId: 'listFunnels',
        tags: ['Funnels'],
        summary: 'All funnels of the company, newest first',
        response: answers(200, Type.Array(funnelSchema), [funnelExample]),
      },
    },
    async (request) => {
      const { companyId } = deps.access.callerOf(request);
      return succeed(await getFunnels(deps.db, companyId), deps.nowMs());
    },
  );
}
