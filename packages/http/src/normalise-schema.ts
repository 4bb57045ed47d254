type Schema = Record<string, unknown>;

const mapsOfSchemas = new Set(['properties', '$defs', 'definitions']);
const listsOfSchemas = new Set(['allOf', 'anyOf', 'oneOf']);
const singleSchemas = new Set([
  'additionalProperties',
  'not',
  'propertyNames',
  'contains',
  'if',
  'then',
  'else',
]);
/** TypeBox's pattern for any key. `.` does not match a line break, so such a key would escape its value's schema. */
const anyKeyPattern = '^(.*)$';

/**
 * A copy that validators and serialisers take literally: records constrain every key, whatever is in it, and no
 * `$id` is left (the same shape stands in many routes, and an id may be registered once only).
 *
 * @param collapseNull writes `anyOf: [X, null]` as X with `nullable`, which a serialiser needs no validator for
 */
export function normaliseSchema(schema: unknown, collapseNull = false): unknown {
  if (typeof schema !== 'object' || schema === null) return schema;
  const copy: Schema = {};
  for (const [key, value] of Object.entries(schema)) {
    if (key === '$id') continue;
    if (key === 'patternProperties') Object.assign(copy, normalisePatterns(value as Schema, collapseNull));
    else if (key === 'additionalProperties' && hasAnyKeyPattern(schema as Schema)) continue;
    else copy[key] = normaliseKeyword(key, value, collapseNull);
  }
  return collapseNull ? collapseNullable(copy) : copy;
}

function normaliseKeyword(key: string, value: unknown, collapseNull: boolean): unknown {
  if (mapsOfSchemas.has(key)) return mapValues(value as Schema, collapseNull);
  if (listsOfSchemas.has(key) || (key === 'items' && Array.isArray(value))) {
    return (value as unknown[]).map((item) => normaliseSchema(item, collapseNull));
  }
  return singleSchemas.has(key) || key === 'items' ? normaliseSchema(value, collapseNull) : value;
}

function mapValues(map: Schema, collapseNull: boolean): Schema {
  return Object.fromEntries(
    Object.entries(map).map(([name, schema]) => [name, normaliseSchema(schema, collapseNull)]),
  );
}

function normalisePatterns(patterns: Schema, collapseNull: boolean): Schema {
  const { [anyKeyPattern]: any, ...rest } = patterns;
  const others = Object.keys(rest).length > 0 ? { patternProperties: mapValues(rest, collapseNull) } : {};
  return any === undefined ? others : { ...others, additionalProperties: normaliseSchema(any, collapseNull) };
}

function hasAnyKeyPattern(schema: Schema): boolean {
  const patterns = schema.patternProperties as Schema | undefined;
  return patterns !== undefined && anyKeyPattern in patterns;
}

function collapseNullable(schema: Schema): Schema {
  const { anyOf, ...rest } = schema;
  if (!Array.isArray(anyOf) || anyOf.length !== 2) return schema;
  const others = (anyOf as Schema[]).filter((item) => item.type !== 'null');
  const only = others[0];
  if (others.length !== 1 || only === undefined || typeof only.type !== 'string') return schema;
  return { ...rest, ...only, nullable: true };
}
