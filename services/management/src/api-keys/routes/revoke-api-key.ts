import { apiKeySchema, idSchema, succeed } from '@bandit/contracts';
import { Type } from '@sinclair/typebox';
import { answers } from '../../answers.ts';
import type { App } from '../../app.ts';
import { apiKeyExample } from '../../examples.ts';
import type { ManagementDeps } from '../../management-deps.ts';
import { presentApiKey } from '../present-api-key.ts';
import { revokeApiKey } from '../revoke-api-key.ts';

const example = { ...apiKeyExample, lastUsedAt: null, revokedAt: '2026-01-15T10:30:00.000Z' };

export function registerRevokeApiKey(app: App, deps: ManagementDeps): void {
  app.delete(
    '/api-keys/:id',
    {
      onRequest: deps.access.admin,
      schema: {
        operationId: 'revokeApiKey',
        tags: ['Administration'],
        summary: 'Revoke an API key in every process within a second',
        params: Type.Object({ id: idSchema }),
        response: answers(200, apiKeySchema, example, [403, 404]),
      },
    },
    async (request) => {
      const revoked = await revokeApiKey(deps, deps.access.callerOf(request), request.params.id);
      return succeed(presentApiKey(revoked), deps.nowMs());
    },
  );
}
