import { STATUS_CODES } from 'node:http';

interface Document {
  readonly paths?: Readonly<Record<string, object | undefined>>;
}

interface Operation {
  readonly responses?: Readonly<Record<string, { description?: string }>>;
}

/** What @fastify/swagger writes where a response schema has no description; OpenAPI demands one. */
const placeholder = 'Default Response';

/** Gives every answer without a description of its own the name of its status. @returns the same document */
export function describeAnswers<T extends Document>(document: T): T {
  for (const operations of Object.values(document.paths ?? {})) {
    for (const operation of Object.values(operations ?? {}) as Operation[]) {
      for (const [status, answer] of Object.entries(operation.responses ?? {})) {
        if (answer.description === placeholder) answer.description = STATUS_CODES[status] ?? placeholder;
      }
    }
  }
  return document;
}
