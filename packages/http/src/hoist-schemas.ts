type Json = Record<string, unknown>;

/**
 * Moves every object schema with a `title` to `components.schemas` and leaves a reference: a shape stands once in the
 * document, however many routes answer it. (@fastify/swagger does so for nested shapes, not for whole answers.)
 *
 * @returns a new document; `document` is not changed
 */
export function hoistSchemas<T extends object>(document: T): T {
  const hoisted: Json = {};
  const walk = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(walk);
    if (typeof value !== 'object' || value === null) return value;
    const { title, type, properties } = value as Json;
    const copy = walkFields(value as Json);
    if (typeof title !== 'string' || type !== 'object' || properties === undefined) return copy;
    hoisted[title] ??= copy;
    return { $ref: `#/components/schemas/${title}` };
  };
  const walkFields = (value: Json): Json =>
    Object.fromEntries(Object.entries(value).map(([key, child]) => [key, walk(child)]));

  const { components = {}, ...rest } = document as { components?: Json };
  const known = Object.entries((components.schemas ?? {}) as Json).map(([name, schema]) => [
    name,
    walkFields(schema as Json),
  ]);
  const walked = walkFields(rest);
  return {
    ...walked,
    components: { ...components, schemas: { ...hoisted, ...Object.fromEntries(known) } },
  } as T;
}
