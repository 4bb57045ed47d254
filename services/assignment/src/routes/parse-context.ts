import { createAssignmentSchema } from '@bandit/contracts';
import type { Context } from '@bandit/core';
import { parseJson } from '@bandit/http';
import { Type } from '@sinclair/typebox';
import type { FastifyInstance } from 'fastify';

/** Turns the `context` query parameter into the context, or throws ApiError MALFORMED_JSON or VALIDATION_ERROR. */
export type ParseContext = (text: string) => Context;

/**
 * GET's context is the same object as POST's, as JSON text: read by the same parser, and checked against the same
 * schema by the server's own validators, so that both refuse the same with the same words.
 */
export function createParseContext(app: FastifyInstance): ParseContext {
  if (!app.validatorCompiler) throw new Error('the context parser needs a server with a validator compiler');
  const validate = app.validatorCompiler({
    schema: Type.Required(Type.Pick(createAssignmentSchema, ['context'])),
    method: 'POST',
    url: '/assignments',
    httpPart: 'body',
  });
  return (text) => {
    const context = parseJson(text, { name: 'context' });
    const { error } = validate({ context }) as { error?: Error };
    if (error) throw error;
    return context as Context;
  };
}
