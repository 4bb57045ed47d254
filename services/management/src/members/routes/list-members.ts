import { memberSchema, succeed } from '@bandit/contracts';
import { listMembers, withCompany } from '@bandit/db';
import { Type } from '@sinclair/typebox';
import { answers } from '../../answers.ts';
import type { App } from '../../app.ts';
import { memberExample } from '../../examples.ts';
import type { ManagementDeps } from '../../management-deps.ts';
import { presentMember } from '../present-member.ts';

export function registerListMembers(app: App, deps: ManagementDeps): void {
  app.get(
    '/members',
    {
      onRequest: deps.access.admin,
      schema: {
        operationId: 'listMembers',
        tags: ['Administration'],
        summary: 'All members, oldest first',
        response: answers(200, Type.Array(memberSchema), [memberExample], [403]),
      },
    },
    async (request) => {
      const { companyId } = deps.access.callerOf(request);
      const rows = await withCompany(deps.db, companyId, (trx) => listMembers(trx, companyId));
      return succeed(rows.map(presentMember), deps.nowMs());
    },
  );
}
