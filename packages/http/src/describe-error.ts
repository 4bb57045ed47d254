const causesMax = 5;
const messageCharsMax = 500;

/** What a log may say about an error: where it happened and of what kind, and no value that a request brought. */
export interface DescribedError {
  readonly type: string;
  readonly message: string;
  readonly code?: string;
  /** Of a statement: where in the schema. */
  readonly table?: string;
  readonly column?: string;
  readonly constraint?: string;
  readonly stack?: string;
  readonly cause?: DescribedError;
}

/** What was described already: a logger of ours describes again what the line's writer has described. */
const described = new WeakSet<object>();

/**
 * An error as a log line holds it. Messages of V8, Postgres and Fastify put values between double quotes (a piece of the
 * JSON, the text that is no number, the URL): those are cut, and so is everything with an @ in it. Other fields of an error
 * (a statement's parameters, a constraint's `detail`) are not copied.
 */
export function describeError(error: unknown): DescribedError {
  if (typeof error === 'object' && error !== null && described.has(error)) return error as DescribedError;
  const description = describe(error, causesMax);
  described.add(description);
  return description;
}

function describe(error: unknown, nCausesLeft: number): DescribedError {
  if (!(error instanceof Error)) return { type: typeof error, message: 'not an Error' };
  const { name, message, cause } = error;
  return {
    type: name,
    message: withoutValues(message),
    ...textFields(error),
    ...stackOf(error),
    ...(cause === undefined || nCausesLeft === 0 ? {} : { cause: describe(cause, nCausesLeft - 1) }),
  };
}

/** From the first quote to the last: a value may hold quotes itself. */
export function withoutValues(message: string): string {
  return message
    .slice(0, messageCharsMax)
    .replace(/"[\s\S]*(?:"|$)/, '"…"')
    .replace(/[^\s'"<>()]*@[^\s'"<>()]*/g, '…');
}

function textFields(error: Error): Partial<Record<'code' | 'table' | 'column' | 'constraint', string>> {
  const { code, table, column, constraint } = error as unknown as Record<string, unknown>;
  return Object.fromEntries(
    Object.entries({ code, table, column, constraint }).filter(([, value]) => typeof value === 'string'),
  );
}

/** The calls alone: a stack begins with the message. */
function stackOf({ stack, message }: Error): { stack?: string } {
  if (stack === undefined) return {};
  const at = stack.indexOf(message);
  const calls = at < 0 ? stack : stack.slice(at + message.length);
  return { stack: calls.replace(/^[^\n]*\n/, '') };
}
