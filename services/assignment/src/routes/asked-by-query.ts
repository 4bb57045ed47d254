import { ApiError, type assignmentParamsSchema, type getAssignmentQuerySchema } from '@bandit/contracts';
import type { Static } from '@sinclair/typebox';
import type { ParseContext } from './parse-context.ts';
import type { Asked } from './reply-with-assignment.ts';

/**
 * What GET and HEAD ask for.
 * @throws ApiError (400) for a context that is none, or a user id that no store can hold
 */
export function askedByQuery(
  companyId: string,
  { experimentId }: Static<typeof assignmentParamsSchema>,
  { userId, context }: Static<typeof getAssignmentQuerySchema>,
  parseContext: ParseContext,
): Asked {
  // In a body the JSON parser refuses it; here %00 gets past the schema.
  if (userId.includes('\u0000')) {
    throw new ApiError('VALIDATION_ERROR', 'userId must not hold the character U+0000', {
      details: { field: 'userId' },
    });
  }
  const parsed = context === undefined ? undefined : parseContext(context);
  return { companyId, experimentId, userId, context: parsed };
}
