import { createMemberSchema, memberSchema, succeed } from '@bandit/contracts';
import { answers, withExample } from '../../answers.ts';
import type { App } from '../../app.ts';
import { memberExample } from '../../examples.ts';
import type { ManagementDeps } from '../../management-deps.ts';
import { addMember } from '../change-members.ts';
import { presentMember } from '../present-member.ts';

export function registerAddMember(app: App, deps: ManagementDeps): void {
  app.post(
    '/members',
    {
      onRequest: deps.access.admin,
      schema: {
        operationId: 'addMember',
        tags: ['Administration'],
        summary: 'Add a member by e-mail',
        body: withExample(createMemberSchema, { email: 'ada@example.com', role: 'member' }),
        response: answers(201, memberSchema, memberExample, [400, 403, 409]),
      },
    },
    async (request, reply) => {
      const added = await addMember(deps, deps.access.callerOf(request), request.body);
      return reply.code(201).send(succeed(presentMember(added), deps.nowMs()));
    },
  );
}
