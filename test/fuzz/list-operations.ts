/** One operation of the API document, and what is needed to call it. */
export interface Operation {
  readonly method: string;
  /** With `{parameters}`. */
  readonly path: string;
  readonly queryNames: readonly string[];
  /** undefined where the operation takes no body. */
  readonly bodyExample: unknown;
}

interface DocumentOperation {
  readonly parameters?: readonly { readonly in: string; readonly name: string }[];
  readonly requestBody?: {
    readonly content: Readonly<
      Record<
        string,
        { readonly example?: unknown; readonly schema?: { readonly examples?: readonly unknown[] } }
      >
    >;
  };
}

/** Every operation of an OpenAPI document, and the routes that it leaves out. */
export function listOperations(document: {
  readonly paths: Readonly<Record<string, Readonly<Record<string, DocumentOperation>>>>;
}): Operation[] {
  const documented = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      method: method.toUpperCase(),
      path,
      queryNames: (operation.parameters ?? []).filter((p) => p.in === 'query').map((p) => p.name),
      bodyExample: exampleOf(operation),
    })),
  );
  const head = { method: 'HEAD', path: '/assignments/{experimentId}', queryNames: ['userId', 'context'] };
  const hidden = ['/livez', '/healthz', '/readyz', '/metrics', '/openapi.json', '/nowhere/{id}'];
  return [
    ...documented,
    { ...head, bodyExample: undefined },
    ...hidden.map((path) => ({ method: 'GET', path, queryNames: [], bodyExample: undefined })),
  ];
}

function exampleOf({ requestBody }: DocumentOperation): unknown {
  const json = requestBody?.content['application/json'];
  return json?.example ?? json?.schema?.examples?.[0] ?? (requestBody === undefined ? undefined : {});
}
