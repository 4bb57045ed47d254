import { ApiError } from '@bandit/contracts';
import type { ErrorObject } from 'ajv';

const valueCharsMax = 80;
/** Fields whose values no message and no log may show. */
const secretName = /secret|token|password|api.?key/i;

/** A sentence for the first thing that is wrong: the field, the value received, what is allowed. */
export function validationError(errors: readonly ErrorObject[], httpPart: string): ApiError {
  const error = pickError(errors);
  const field = fieldName(error, httpPart);
  return new ApiError('VALIDATION_ERROR', sentence(error, field), { details: { field } });
}

/**
 * A union reports each branch before itself: the last error speaks of the whole. Of a field that may be null, what is
 * wrong with its other branch says more; of a key, the name that is not allowed.
 */
function pickError(errors: readonly ErrorObject[]): ErrorObject {
  const first = errors[0] as ErrorObject;
  const key = errors.find((error) => error.keyword === 'propertyNames');
  const union = errors.findLast((error) => error.keyword === 'anyOf' || error.keyword === 'oneOf');
  const branches = (union?.schema ?? []) as { type?: string }[];
  const isNullable = branches.filter((branch) => branch.type !== 'null').length === 1;
  if (union !== undefined) return isNullable && first.keyword !== 'type' ? first : union;
  return key ?? first;
}

function fieldName(error: ErrorObject, httpPart: string): string {
  const path = error.instancePath
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  const { missingProperty, additionalProperty } = error.params as Record<string, string | undefined>;
  const last = missingProperty ?? additionalProperty;
  const whole = last === undefined ? path : [...path, last];
  return whole.length === 0 ? httpPart : whole.join('.').slice(0, 200);
}

function sentence(error: ErrorObject, field: string): string {
  const { params, keyword } = error;
  if (keyword === 'required') return `${field} is required`;
  if (keyword === 'additionalProperties')
    return `${field} is not a known field; allowed are ${knownFields(error)}`;
  if (keyword === 'propertyNames')
    return `${field} has a key that is not allowed: ${show(params.propertyName)}, ${keyRule(error)}`;
  const got = secretName.test(field) ? 'a value that is not shown' : show(error.data);
  // An absent body reaches its schema as null.
  const received = field === 'body' && error.data === null ? 'nothing' : got;
  return `${field} must be ${expectation(error, params as Record<string, unknown>)}, got ${received}`;
}

function expectation(error: ErrorObject, params: Record<string, unknown>): string {
  const limit = params.limit;
  switch (error.keyword) {
    case 'enum':
      return `one of ${(params.allowedValues as unknown[]).join(', ')}`;
    case 'anyOf':
    case 'oneOf':
      return unionOf(error.schema);
    case 'minLength':
      return `at least ${limit} character${limit === 1 ? '' : 's'} long`;
    case 'maxLength':
      return `at most ${limit} characters long`;
    case 'minItems':
      return `at least ${limit} item${limit === 1 ? '' : 's'} long`;
    case 'maxItems':
      return `at most ${limit} items long`;
    case 'maxProperties':
      return `at most ${limit} keys`;
    case 'pattern':
      return params.pattern === '\\S' ? 'not blank' : `text that matches ${params.pattern}`;
    case 'format':
      return 'an ISO 8601 instant such as 2026-01-15T10:00:00.000Z';
    case 'uniqueItems':
      return 'free of duplicates';
    case 'type':
      return describeType(params.type);
    default:
      return (error.message ?? 'valid').replace(/^must be /, '').replace(/^must /, '');
  }
}

function keyRule(error: ErrorObject): string {
  const { minLength = 0, maxLength } = error.schema as { minLength?: number; maxLength?: number };
  return `allowed are keys of ${minLength} to ${maxLength} characters`;
}

function describeType(type: unknown): string {
  return type === 'object' || type === 'array' || type === 'integer' ? `an ${type}` : `a ${type}`;
}

/** "a string, a number or a boolean", from the branches of a union. */
function unionOf(branches: unknown): string {
  const names = (branches as { type?: string; const?: unknown }[]).map((branch) =>
    branch.type === undefined ? JSON.stringify(branch.const) : describeType(branch.type),
  );
  const bounds = (branches as { maxLength?: number }[]).find((branch) => branch.maxLength !== undefined);
  const note =
    bounds === undefined ? '' : ` (text of at most ${bounds.maxLength} characters, finite numbers)`;
  return `${names.slice(0, -1).join(', ')} or ${names.at(-1)}${note}`;
}

function knownFields(error: ErrorObject): string {
  const names = Object.keys((error.parentSchema?.properties as object | undefined) ?? {});
  return names.length === 0 ? 'none' : names.join(', ');
}

/** What was received, short enough for a sentence. */
function show(value: unknown): string {
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === 'object' && value !== null) return `an object with ${Object.keys(value).length} keys`;
  if (typeof value === 'number') return String(value);
  const text = JSON.stringify(value) ?? String(value);
  return text.length > valueCharsMax
    ? `${text.slice(0, valueCharsMax)}… (${String(value).length} characters)`
    : text;
}
