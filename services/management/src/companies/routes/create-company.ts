import { ApiError, companySchema, createCompanySchema, succeed } from '@bandit/contracts';
import { answers, withExample } from '../../answers.ts';
import type { App } from '../../app.ts';
import { memberExample } from '../../examples.ts';
import type { ManagementDeps } from '../../management-deps.ts';
import { createCompany } from '../create-company.ts';
import { isPlatformToken } from '../is-platform-token.ts';

const example = {
  id: 'cmp_abc123',
  name: 'Acme',
  admin: { ...memberExample, role: 'admin' },
  apiKey: 'bk_live_4fGh2kLm_…',
};

export function registerCreateCompany(app: App, deps: ManagementDeps): void {
  app.post(
    '/companies',
    {
      onRequest: async (request) => {
        if (isPlatformToken(request.headers.authorization, deps.platformToken)) return;
        throw new ApiError(
          'UNAUTHORIZED',
          'creating a company takes Authorization: Bearer with the platform token',
        );
      },
      schema: {
        operationId: 'createCompany',
        tags: ['Administration'],
        security: [{ bearer: [] }],
        summary: 'Create a tenant, its admin and its first API key, which is shown this once',
        body: withExample(createCompanySchema, { name: 'Acme', adminEmail: 'ada@example.com' }),
        response: answers(201, companySchema, example, [400, 409]),
      },
    },
    async (request, reply) => {
      const company = await createCompany(deps, request.body);
      return reply.code(201).send(succeed(company, deps.nowMs()));
    },
  );
}
