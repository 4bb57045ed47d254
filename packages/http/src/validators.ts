import { ApiError } from '@bandit/contracts';
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import type { FastifyInstance, FastifySchemaCompiler } from 'fastify';
import { normaliseSchema } from './normalise-schema.ts';
import { validationError } from './validation-error.ts';

/**
 * Strict validators: nothing is coerced, stripped or filled in. Query strings are text by nature: there, and only
 * there, a plain decimal integer stands for a number where the schema asks for one.
 */
export function useStrictValidators(app: FastifyInstance): void {
  const ajv = createStrictAjv();
  const compile: FastifySchemaCompiler<unknown> = ({ schema, httpPart }) => {
    const literal = normaliseSchema(schema) as ObjectSchema;
    const validate = ajv.compile(literal);
    const named = withNamedErrors(checkOf(httpPart, literal, validate), validate, httpPart ?? 'body');
    return httpPart === 'querystring' ? refuseNul(named) : named;
  };
  app.setValidatorCompiler(compile);
}

export function createStrictAjv(): Ajv {
  const ajv = new Ajv({
    coerceTypes: false,
    removeAdditional: false,
    useDefaults: false,
    verbose: true,
    strict: false,
  });
  ajv.addFormat('date-time', isInstant);
  return ajv;
}

/** ISO 8601 with date, time and zone, and a date that exists: 2026-02-30 does not. */
export function isInstant(text: string): boolean {
  const match =
    /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.\d{1,9})?(?:[Zz]|[+-](\d\d):(\d\d))$/.exec(text);
  if (match === null) return false;
  const [year, month, day, hour, minute, second, zoneHour, zoneMinute] = match
    .slice(1)
    .map((part) => Number(part ?? 0));
  const date = new Date(Date.UTC(year as number, (month as number) - 1, day as number));
  const isDate = date.getUTCMonth() === (month as number) - 1 && date.getUTCDate() === day;
  const isTime = (hour as number) < 24 && (minute as number) < 60 && (second as number) < 60;
  return (
    isDate &&
    isTime &&
    (zoneHour as number) < 24 &&
    (zoneMinute as number) < 60 &&
    !Number.isNaN(Date.parse(text))
  );
}

interface ObjectSchema {
  readonly properties?: Readonly<Record<string, { readonly type?: string }>>;
}

type Check = (data: unknown) => boolean;
type Result = { value: unknown } | { error: ApiError };

function checkOf(httpPart: string | undefined, schema: ObjectSchema, validate: ValidateFunction): Check {
  if (httpPart === 'querystring') return readQuery(schema, validate);
  if (httpPart === 'params') return readParams(validate);
  return validate as Check;
}

function readQuery(schema: ObjectSchema, validate: ValidateFunction): Check {
  const names = Object.entries(schema.properties ?? {})
    .filter(([, property]) => property.type === 'integer' || property.type === 'number')
    .map(([name]) => name);
  return (data) => {
    const query = data as Record<string, unknown>;
    for (const name of names) {
      const text = query[name];
      if (typeof text === 'string' && /^-?\d{1,15}$/.test(text)) query[name] = Number(text);
    }
    return validate(data) as boolean;
  };
}

/** An id with NUL is an unknown id (404), not an error: no stored id holds U+FFFD either, and the database takes it. */
function readParams(validate: ValidateFunction): Check {
  return (data) => {
    const params = data as Record<string, string>;
    for (const name of Object.keys(params)) {
      if (params[name]?.includes('\0')) params[name] = params[name].replaceAll('\0', '\ufffd');
    }
    return validate(data) as boolean;
  };
}

/** Fastify takes `{ error }`: the sentence is made here, where the part of the request is known. */
function withNamedErrors(check: Check, validate: ValidateFunction, httpPart: string) {
  return (data: unknown): Result =>
    check(data) ? { value: data } : { error: validationError(validate.errors as ErrorObject[], httpPart) };
}

/** `%00` in a query string: a character that no database takes. */
function refuseNul(check: (data: unknown) => Result) {
  return (data: unknown): Result => {
    for (const [name, value] of Object.entries(data as Record<string, unknown>)) {
      if (!String(value).includes('\0')) continue;
      const message = `${name.slice(0, 80).replaceAll('\0', '')} holds the character \\u0000, which is not allowed`;
      return { error: new ApiError('VALIDATION_ERROR', message) };
    }
    return check(data);
  };
}
