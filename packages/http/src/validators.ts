import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import type { FastifyInstance, FastifySchemaCompiler } from 'fastify';
import { validationError } from './validation-error.ts';

/**
 * Strict validators: nothing is coerced, stripped or filled in. Query strings are text by nature: there, and only
 * there, a plain decimal integer stands for a number where the schema asks for one.
 */
export function useStrictValidators(app: FastifyInstance): void {
  const ajv = createStrictAjv();
  const compile: FastifySchemaCompiler<unknown> = ({ schema, httpPart }) => {
    const validate = ajv.compile(schema as object);
    const check = httpPart === 'querystring' ? readIntegers(schema as ObjectSchema, validate) : validate;
    return withNamedErrors(check, validate, httpPart ?? 'body');
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

function readIntegers(schema: ObjectSchema, validate: ValidateFunction): Check {
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

/** Fastify takes `{ error }`: the sentence is made here, where the part of the request is known. */
function withNamedErrors(check: Check, validate: ValidateFunction, httpPart: string) {
  return (data: unknown) =>
    check(data) ? { value: data } : { error: validationError(validate.errors as ErrorObject[], httpPart) };
}
