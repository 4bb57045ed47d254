import { idSchema, memberSchema, succeed, updateMemberSchema } from '@bandit/contracts';
import { Type } from '@sinclair/typebox';
import { answers, withExample } from '../../answers.ts';
import type { App } from '../../app.ts';
import { memberExample } from '../../examples.ts';
import type { ManagementDeps } from '../../management-deps.ts';
import { changeRole } from '../change-members.ts';
import { presentMember } from '../present-member.ts';

export function registerUpdateMember(app: App, deps: ManagementDeps): void {
  app.put(
    '/members/:id',
    {
      onRequest: deps.access.admin,
      schema: {
        operationId: 'updateMember',
        tags: ['Administration'],
        summary: "Change a member's role; a company keeps an admin",
        params: Type.Object({ id: idSchema }),
        body: withExample(updateMemberSchema, { role: 'admin' }),
        response: answers(200, memberSchema, memberExample, [400, 403, 404]),
      },
    },
    async (request) => {
      const caller = deps.access.callerOf(request);
      const changed = await changeRole(deps, caller, request.params.id, request.body.role);
      return succeed(presentMember(changed), deps.nowMs());
    },
  );
}
