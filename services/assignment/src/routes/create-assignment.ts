import { getPrincipal } from '@bandit/auth';
import { createAssignmentSchema } from '@bandit/contracts';
import { assignmentAnswers } from './answers.ts';
import type { App, KeyGuard } from './app.ts';
import { type ReplyDeps, replyWithAssignment } from './reply-with-assignment.ts';

const bodyExample = {
  experimentId: 'exp_abc123',
  userId: 'user_42',
  context: { deviceType: 'mobile', country: 'US' },
};

export function registerCreateAssignment(app: App, keyGuard: KeyGuard, deps: ReplyDeps): void {
  app.post(
    '/assignments',
    {
      onRequest: keyGuard.require('assign'),
      schema: {
        operationId: 'createAssignment',
        tags: ['Assignments'],
        summary: 'Create assignment',
        description:
          "The treatment for a user: the one they have, else one that the experiment's bandit draws.",
        body: { ...createAssignmentSchema, examples: [bodyExample] },
        response: assignmentAnswers,
      },
    },
    (request, reply) => {
      const { experimentId, userId, context } = request.body;
      const { companyId } = getPrincipal(request);
      return replyWithAssignment(deps, reply, { companyId, experimentId, userId, context });
    },
  );
}
