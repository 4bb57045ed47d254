type Json = Readonly<Record<string, unknown>>;

/**
 * The API document of the whole platform from those of its services: their paths (one path may have its methods in
 * several services) and their components. Shapes of one name are one shape; where two differ the first stands.
 */
export function mergeDocuments(documents: readonly Json[]): Json {
  const [first = {}] = documents;
  return {
    ...first,
    paths: mergeTwoDeep(documents.map((document) => asObject(document.paths))),
    components: mergeTwoDeep(documents.map((document) => asObject(document.components))),
  };
}

function mergeTwoDeep(parts: readonly Json[]): Json {
  const merged: Record<string, Record<string, unknown>> = {};
  for (const part of parts) {
    for (const [key, value] of Object.entries(part)) {
      merged[key] = { ...asObject(value), ...merged[key] };
    }
  }
  return merged;
}

function asObject(value: unknown): Json {
  return typeof value === 'object' && value !== null ? (value as Json) : {};
}
