const storeUrl = /^(?:postgres|postgresql|nats|tls|ws|wss|redis|rediss):\/\//;

/**
 * Where a store is, from its URL or a list of them, without user, password or options. What is not wholly understood is
 * not shown at all: the part that is not may be a secret.
 */
export function describeStore(urls: string): string {
  const parts = urls.split(',').map((part) => part.trim());
  if (!parts.every((part) => storeUrl.test(part) && URL.canParse(part))) return '(as configured)';
  return parts.map(describeOne).join(', ');
}

function describeOne(text: string): string {
  const { protocol, host, pathname } = new URL(text);
  return `${protocol}//${host}${pathname === '/' ? '' : pathname}`;
}
