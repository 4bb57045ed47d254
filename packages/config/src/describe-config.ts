import { configSchema } from './schema.ts';

interface Property {
  readonly default?: unknown;
  readonly enum?: readonly string[];
  readonly description?: string;
}

/** The table of docs/configuration.md. A test compares the two. */
export function describeConfig(): string {
  const rows = Object.entries(configSchema.properties as Record<string, Property>).map(([name, property]) => {
    const allowed = property.enum === undefined ? '' : ` One of ${property.enum.join(', ')}.`;
    const fallback = property.default === undefined ? '' : `\`${String(property.default)}\``;
    return `| \`${name}\` | ${fallback} | ${property.description ?? ''}${allowed} |`;
  });
  return ['| variable | default | meaning |', '|---|---|---|', ...rows].join('\n');
}
