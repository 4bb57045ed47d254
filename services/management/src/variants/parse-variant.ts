import { type ContentType, type CreateTreatment, limits } from '@bandit/contracts';
import { parseJson } from '@bandit/http';
import { type Static, Type } from '@sinclair/typebox';
import { TypeCompiler } from '@sinclair/typebox/compiler';
import { ProviderFailure } from './providers/provider-failure.ts';
import { fieldOf } from './providers/variant-provider.ts';

/** A new treatment as the model wrote it. */
const variantSchema = Type.Object({
  name: Type.String({ minLength: 1, maxLength: limits.nameCharsMax, pattern: '\\S' }),
  description: Type.Optional(Type.String({ maxLength: limits.descriptionCharsMax })),
  content: Type.String({ minLength: 1, maxLength: limits.contentCharsMax, pattern: '\\S' }),
});
type Variant = Static<typeof variantSchema>;
const variantCheck = TypeCompiler.Compile(variantSchema);

/**
 * Makes a treatment of a model's answer: JSON text, perhaps fenced or after some reasoning, or an object. Fields that are
 * not asked for are left out.
 *
 * @param answer untrusted
 * @param checkContent throws when the content breaks the rules of the experiment's content type
 * @throws ProviderFailure `answer-unusable`, which holds nothing of the answer
 */
export function parseVariant(
  answer: unknown,
  contentType: ContentType,
  checkContent: (treatment: CreateTreatment) => void,
): CreateTreatment {
  const fields = typeof answer === 'string' ? parseText(answer) : answer;
  const variant = normalise(fields, contentType);
  if (!variantCheck.Check(variant) || hasUnstorableText(variant)) throw unusable();
  const treatment = {
    name: variant.name.trim(),
    ...(variant.description === undefined ? {} : { description: variant.description }),
    config: { content: contentType === 'HTML' ? variant.content : variant.content.trim() },
  };
  try {
    checkContent(treatment);
  } catch (cause) {
    throw unusable(cause);
  }
  return treatment;
}

/** The three fields wherever models put them; JSON content may come as an object instead of as text. */
function normalise(fields: unknown, contentType: ContentType): unknown {
  const content = fieldOf(fields, 'content') ?? fieldOf(fieldOf(fields, 'config'), 'content');
  const isJsonValue = contentType === 'JSON' && typeof content === 'object' && content !== null;
  const description = fieldOf(fields, 'description');
  return {
    name: fieldOf(fields, 'name'),
    ...(description === undefined || description === null ? {} : { description }),
    content: isJsonValue ? JSON.stringify(content) : content,
  };
}

/** The JSON object in an answer: as a whole, inside the last code fence, or between the outermost braces. */
function parseText(text: string): unknown {
  const withoutReasoning = text.replace(/^\s*<think>[\s\S]*?<\/think>/, '').trim();
  const fenced = withoutReasoning.match(/^```(?:json)?\s*\n([\s\S]*?)\n?```\s*$/i)?.[1];
  for (const candidate of [withoutReasoning, fenced, betweenBraces(withoutReasoning)]) {
    if (candidate === undefined) continue;
    try {
      return parseJson(candidate);
    } catch {
      // Not this one: the next candidate, or unusable below.
    }
  }
  throw unusable();
}

function betweenBraces(text: string): string | undefined {
  const start = text.indexOf('{');
  const end = text.lastIndexOf('}');
  return start >= 0 && end > start ? text.slice(start, end + 1) : undefined;
}

/** Postgres stores neither NUL nor half a surrogate pair. */
function hasUnstorableText(variant: Variant): boolean {
  return [variant.name, variant.description ?? '', variant.content].some(
    (text) => text.includes('\u0000') || !text.isWellFormed(),
  );
}

function unusable(cause?: unknown): ProviderFailure {
  return new ProviderFailure('answer-unusable', { isRetryable: true, cause });
}
