import { ApiError, contextSchema, limits } from '@bandit/contracts';
import type { Context } from '@bandit/core';
import type { FastifyInstance } from 'fastify';

/** Turns the `context` query parameter into the context, or throws ApiError VALIDATION_ERROR. */
export type ParseContext = (text: string) => Context;

/**
 * GET's context is the same object as POST's, as JSON text: read by the same parser, checked by the same schema with
 * the server's own validator compiler.
 *
 * @param parseJson the server's JSON parser; throws ApiError for text that is not acceptable JSON
 */
export function createParseContext(app: FastifyInstance, parseJson: (text: string) => unknown): ParseContext {
  if (!app.validatorCompiler) throw new Error('the context parser needs a server with a validator compiler');
  const validate = app.validatorCompiler({
    schema: contextSchema,
    method: 'POST',
    url: '/assignments',
    httpPart: 'body',
  });
  return (text) => {
    const context = parseJson(text);
    if (validate(context) !== true) throw notAContext(validate.errors?.[0], text);
    return context as Context;
  };
}

interface Fault {
  readonly instancePath?: string;
  readonly message?: string;
}

function notAContext(fault: Fault | undefined, text: string): ApiError {
  const { instancePath = '', message = 'is not allowed' } = fault ?? {};
  const received = text.length > shownCharsMax ? `${text.slice(0, shownCharsMax)}…` : text;
  return new ApiError(
    'VALIDATION_ERROR',
    `context${instancePath} ${message}, got ${received}: a flat JSON object of at most ${limits.contextKeysMax} strings, finite numbers and booleans is allowed`,
  );
}

const shownCharsMax = 100;
