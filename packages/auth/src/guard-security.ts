/** Names of the security schemes in the API document. */
type Scheme = 'apiKey' | 'bearer' | 'session';

export const keySecurity = [{ apiKey: [] }, { bearer: [] }] as const;
export const sessionSecurity = [{ session: [] }, { bearer: [] }] as const;

/**
 * A guard that says what it asks for: the API document takes it from the route's guard, so the two cannot drift apart.
 *
 * @param security alternatives, as OpenAPI's security requirements
 * @returns the same function
 */
export function withSecurity<Guard extends object>(
  guard: Guard,
  security: readonly Readonly<Partial<Record<Scheme, readonly []>>>[],
): Guard {
  return Object.assign(guard, { security });
}
