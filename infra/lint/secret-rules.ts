/** Variables whose values must never stand in a file. */
const secretName = /(PASSWORD|SECRET|TOKEN|API_KEY|_URL)$/;
/** URLs that carry no password. */
const notSecret = new Set(['AI_BASE_URL']);

export function isSecretName(name: string): boolean {
  return secretName.test(name) && !notSecret.has(name);
}

/** A URL with a password in it, whatever its variable is called. */
export function hasPasswordInUrl(value: string): boolean {
  return /:\/\/[^/\s:@]*:(?!\$\{?[A-Z_])[^/\s@]+@/.test(value);
}
