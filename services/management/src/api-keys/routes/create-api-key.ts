import { createApiKeySchema, createdApiKeySchema, succeed } from '@bandit/contracts';
import { answers, withExample } from '../../answers.ts';
import type { App } from '../../app.ts';
import { apiKeyExample } from '../../examples.ts';
import type { ManagementDeps } from '../../management-deps.ts';
import { createApiKey } from '../create-api-key.ts';
import { presentCreatedApiKey } from '../present-api-key.ts';

const example = { ...apiKeyExample, key: 'bk_live_4fGh2kLm_…' };

export function registerCreateApiKey(app: App, deps: ManagementDeps): void {
  app.post(
    '/api-keys',
    {
      onRequest: deps.access.admin,
      schema: {
        operationId: 'createApiKey',
        tags: ['Administration'],
        summary: 'Create an API key; the key is shown this once',
        body: withExample(createApiKeySchema, { name: 'Web shop', scopes: ['assign', 'events'] }),
        response: answers(201, createdApiKeySchema, example, [400, 403]),
      },
    },
    async (request, reply) => {
      const created = await createApiKey(deps, deps.access.callerOf(request), request.body);
      return reply.code(201).send(succeed(presentCreatedApiKey(created), deps.nowMs()));
    },
  );
}
