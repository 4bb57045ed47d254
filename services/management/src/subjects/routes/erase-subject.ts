import { erasureReceiptSchema, subjectParamsSchema, succeed } from '@bandit/contracts';
import { answers } from '../../answers.ts';
import type { App } from '../../app.ts';
import { erasureReceiptExample } from '../../examples.ts';
import type { ManagementDeps } from '../../management-deps.ts';
import { eraseSubject } from '../erase-subject.ts';

export function registerEraseSubject(app: App, deps: ManagementDeps): void {
  app.delete(
    '/subjects/:userId',
    {
      onRequest: deps.access.admin,
      schema: {
        operationId: 'eraseSubject',
        tags: ['Administration'],
        summary: 'Erase an end user',
        description:
          'Removes the user from every store, or puts a pseudonym in the place; counts and results stay as they are. Events ' +
          'on assignments of before are refused from now on. A repeat, or an unknown user, is answered with zeros. After a ' +
          '503 the erasure has begun: ask again, and it goes on.',
        params: subjectParamsSchema,
        response: answers(200, erasureReceiptSchema, erasureReceiptExample, [400, 403]),
      },
    },
    async (request) => {
      const author = deps.access.callerOf(request);
      return succeed(await eraseSubject(deps, author, request.params.userId), deps.nowMs());
    },
  );
}
