type Json = Record<string, unknown>;

/**
 * Moves every schema with an `$id` to `components.schemas` and leaves a reference: a shape stands once in the document,
 * however many routes answer it.
 *
 * @returns a new document; `document` is not changed
 */
export function hoistSchemas<T extends object>(document: T): T {
  const hoisted: Json = {};
  const walk = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(walk);
    if (typeof value !== 'object' || value === null) return value;
    const { $id, ...rest } = value as Json;
    const copy = Object.fromEntries(Object.entries(rest).map(([key, child]) => [key, walk(child)]));
    if (typeof $id !== 'string') return $id === undefined ? copy : { $id: walk($id), ...copy };
    hoisted[$id] ??= copy;
    return { $ref: `#/components/schemas/${$id}` };
  };
  const walked = walk(document) as Json;
  const components = (walked.components ?? {}) as Json;
  const schemas = { ...(components.schemas as Json | undefined), ...hoisted };
  return { ...walked, components: { ...components, schemas } } as T;
}
