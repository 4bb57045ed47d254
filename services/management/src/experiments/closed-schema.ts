/**
 * Checks and describes values against the small part of JSON Schema that `algorithmConfig` uses: closed objects,
 * numbers and integers with bounds, string enumerations, fixed-length tuples. Written out so that one sentence can
 * name the field, the value and all that is allowed.
 */
export interface SchemaNode {
  readonly type?: string | undefined;
  readonly enum?: readonly string[] | undefined;
  readonly properties?: Readonly<Record<string, SchemaNode>> | undefined;
  readonly required?: readonly string[] | undefined;
  readonly items?: SchemaNode | readonly SchemaNode[] | undefined;
  readonly minimum?: number | undefined;
  readonly maximum?: number | undefined;
  readonly exclusiveMinimum?: number | undefined;
}

/** @returns what is wrong with `value`, in words that name it and what is allowed; undefined when it fits */
export function flawOf(schema: SchemaNode, value: unknown, name: string): string | undefined {
  if (schema.type === 'object') return flawOfObject(schema, value, name);
  if (fits(schema, value)) return undefined;
  return `${name} must be ${describeSchema(schema)}, got ${show(value)}`;
}

/** What the schema allows, in words. */
export function describeSchema(schema: SchemaNode): string {
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(' or ');
  if (schema.type === 'object') return describeObject(schema);
  if (Array.isArray(schema.items)) return `[${schema.items.map(describeSchema).join(', ')}]`;
  const kind = schema.type === 'integer' ? 'an integer' : 'a number';
  const low =
    schema.exclusiveMinimum === undefined ? `from ${schema.minimum}` : `above ${schema.exclusiveMinimum}`;
  return `${kind} ${low} to ${schema.maximum}`;
}

function describeObject(schema: SchemaNode): string {
  const fields = Object.entries(schema.properties ?? {});
  return `{ ${fields.map(([key, field]) => `${key}: ${describeSchema(field)}`).join('; ')} }`;
}

function flawOfObject(schema: SchemaNode, value: unknown, name: string): string | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return `${name} must be an object, got ${show(value)}`;
  }
  const fields = schema.properties ?? {};
  const missing = (schema.required ?? []).find((key) => !Object.hasOwn(value, key));
  if (missing !== undefined) return `${name}.${missing} is required`;
  for (const [key, member] of Object.entries(value)) {
    const field = Object.hasOwn(fields, key) ? fields[key] : undefined;
    const flaw = field ? flawOf(field, member, `${name}.${key}`) : `${name} has no option ${show(key)}`;
    if (flaw !== undefined) return flaw;
  }
  return undefined;
}

function fits(schema: SchemaNode, value: unknown): boolean {
  if (schema.enum) return typeof value === 'string' && schema.enum.includes(value);
  if (Array.isArray(schema.items)) {
    const items: readonly SchemaNode[] = schema.items;
    return (
      Array.isArray(value) &&
      value.length === items.length &&
      items.every((item, index) => fits(item, value[index]))
    );
  }
  if (typeof value !== 'number' || !Number.isFinite(value)) return false;
  if (schema.type === 'integer' && !Number.isInteger(value)) return false;
  const isAboveLow =
    schema.exclusiveMinimum === undefined
      ? value >= (schema.minimum ?? Number.NEGATIVE_INFINITY)
      : value > schema.exclusiveMinimum;
  return isAboveLow && value <= (schema.maximum ?? Number.POSITIVE_INFINITY);
}

const shownCharsMax = 100;

/** The value as JSON, shortened. */
function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length <= shownCharsMax ? text : `${text.slice(0, shownCharsMax)}…`;
}
