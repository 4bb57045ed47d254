import { createFunnelSchema, funnelSchema, succeed } from '@bandit/contracts';
import { answers, withExample } from '../../answers.ts';
import type { App } from '../../app.ts';
import { funnelExample } from '../../examples.ts';
import type { ManagementDeps } from '../../management-deps.ts';
import { createFunnel } from '../change-funnels.ts';
import { presentFunnel } from '../present-funnel.ts';

const bodyExample = {
  name: 'Onboarding Flow',
  description: 'Test headline → CTA → pricing across the onboarding funnel',
  experimentIds: ['exp_headline', 'exp_cta', 'exp_pricing'],
};

export function registerCreateFunnel(app: App, deps: ManagementDeps): void {
  app.post(
    '/funnels',
    {
      onRequest: deps.access.session,
      schema: {
        operationId: 'createFunnel',
        tags: ['Funnels'],
        summary: 'Link experiments into a sequence, in status draft',
        body: withExample(createFunnelSchema, bodyExample),
        response: answers(201, funnelSchema, funnelExample, [400]),
      },
    },
    async (request, reply) => {
      const created = await createFunnel(deps, deps.access.callerOf(request), request.body);
      return reply.code(201).send(succeed(presentFunnel(created), deps.nowMs()));
    },
  );
}
