import { apiKeySchema, succeed } from '@bandit/contracts';
import { listApiKeys, withCompany } from '@bandit/db';
import { Type } from '@sinclair/typebox';
import { answers } from '../../answers.ts';
import type { App } from '../../app.ts';
import { apiKeyExample } from '../../examples.ts';
import type { ManagementDeps } from '../../management-deps.ts';
import { presentApiKey } from '../present-api-key.ts';

const example = { ...apiKeyExample, lastUsedAt: null, revokedAt: null };

export function registerListApiKeys(app: App, deps: ManagementDeps): void {
  app.get(
    '/api-keys',
    {
      onRequest: deps.access.admin,
      schema: {
        operationId: 'listApiKeys',
        tags: ['Administration'],
        summary: 'All API keys, newest first, without their secrets',
        response: answers(200, Type.Array(apiKeySchema), [example], [403]),
      },
    },
    async (request) => {
      const { companyId } = deps.access.callerOf(request);
      const rows = await withCompany(deps.db, companyId, (trx) => listApiKeys(trx, companyId));
      return succeed(rows.map(presentApiKey), deps.nowMs());
    },
  );
}
