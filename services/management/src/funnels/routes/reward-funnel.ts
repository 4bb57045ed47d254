import { funnelRewardResultSchema, funnelRewardSchema, idSchema, succeed } from '@bandit/contracts';
import { Type } from '@sinclair/typebox';
import { answers, withExample } from '../../answers.ts';
import type { App } from '../../app.ts';
import type { ManagementDeps } from '../../management-deps.ts';
import { rewardFunnel } from '../reward-funnel.ts';

const example = { funnelId: 'fnl_abc123', userId: 'user_42', value: 49.99 };

export function registerRewardFunnel(app: App, deps: ManagementDeps): void {
  app.post(
    '/funnels/:id/reward',
    {
      onRequest: deps.access.sessionOrEventsKey,
      schema: {
        operationId: 'rewardFunnel',
        tags: ['Funnels'],
        summary: "Record a user's one reward and credit every member experiment",
        params: Type.Object({ id: idSchema }),
        body: withExample(funnelRewardSchema, { userId: 'user_42', value: 49.99 }),
        response: answers(200, funnelRewardResultSchema, example, [400, 403, 404, 409]),
      },
    },
    async (request) => {
      const { companyId } = deps.access.callerOf(request);
      const { userId, value } = request.body;
      await rewardFunnel(deps, companyId, request.params.id, request.body);
      return succeed({ funnelId: request.params.id, userId, value }, deps.nowMs());
    },
  );
}
