import { idSchema, memberSchema, succeed } from '@bandit/contracts';
import { Type } from '@sinclair/typebox';
import { answers } from '../../answers.ts';
import type { App } from '../../app.ts';
import { memberExample } from '../../examples.ts';
import type { ManagementDeps } from '../../management-deps.ts';
import { removeMember } from '../change-members.ts';
import { presentMember } from '../present-member.ts';

export function registerRemoveMember(app: App, deps: ManagementDeps): void {
  app.delete(
    '/members/:id',
    {
      onRequest: deps.access.admin,
      schema: {
        operationId: 'removeMember',
        tags: ['Administration'],
        summary: 'Remove a member; never the last admin',
        params: Type.Object({ id: idSchema }),
        response: answers(200, memberSchema, memberExample, [400, 403, 404]),
      },
    },
    async (request) => {
      const removed = await removeMember(deps, deps.access.callerOf(request), request.params.id);
      return succeed(presentMember(removed), deps.nowMs());
    },
  );
}
