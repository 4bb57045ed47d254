/** What a writer of variants is asked. */
export interface VariantPrompt {
  readonly system: string;
  readonly user: string;
}

/**
 * How the answer's shape is demanded: `structured` has the API enforce the JSON schema; `fallback` is for models and
 * servers that refuse that.
 */
export type AnswerShape = 'structured' | 'fallback';

/** One provider's API: how to ask and where in the response the answer stands. Sends nothing and keeps nothing. */
export interface VariantProvider {
  readonly name: 'openai-compatible' | 'anthropic';
  readonly model: string;
  readonly url: URL;
  /** Holds the provider's key: never logged. */
  readonly headers: Readonly<Record<string, string>>;
  body(prompt: VariantPrompt, shape: AnswerShape): unknown;
  /**
   * @param response parsed and untrusted
   * @returns the model's answer, as text or already as an object; undefined when there is none
   */
  findAnswer(response: unknown): unknown;
}

/** Who is asked, as the operator configured it. */
export interface ProviderSettings {
  /** Up to and without `/chat/completions` or `/v1/messages`. */
  readonly baseUrl: string;
  /** undefined: no credentials are sent (a local server). */
  readonly apiKey: string | undefined;
  readonly model: string;
}

/**
 * The answer as a JSON schema for the provider. Without lengths and patterns: neither API takes them all, and the
 * answer is checked here anyway (parse-variant.ts).
 */
export const answerJsonSchema = {
  type: 'object',
  properties: {
    name: { type: 'string', description: 'A short label for the variant.' },
    description: { type: 'string', description: 'What was changed, and why it should do better.' },
    content: { type: 'string', description: 'The content of the variant itself.' },
  },
  required: ['name', 'description', 'content'],
  additionalProperties: false,
} as const;

/** `path` under a base URL that may or may not end in a slash. */
export function joinUrl(baseUrl: string, path: string): URL {
  return new URL(`${baseUrl.replace(/\/+$/, '')}/${path}`);
}

/** A field of something untrusted; undefined when it is no object or has no such own field. */
export function fieldOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Record<string, unknown>)[name];
}
