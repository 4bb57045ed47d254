import { configSchema } from './schema.ts';

interface Property {
  readonly default?: unknown;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly description?: string;
}

/** The table of docs/configuration.md. A test compares the two. */
export function describeConfig(): string {
  const rows = Object.entries(configSchema.properties as Record<string, Property>).map(([name, property]) => {
    const fallback = property.default === undefined ? '' : `\`${String(property.default)}\``;
    return `| \`${name}\` | ${fallback} | ${property.description ?? ''}${allowedOf(property)} |`;
  });
  return ['| variable | default | meaning |', '|---|---|---|', ...rows].join('\n');
}

function allowedOf({ enum: values, minimum, maximum }: Property): string {
  if (values !== undefined) return ` One of ${values.join(', ')}.`;
  return maximum === undefined ? '' : ` A whole number from ${minimum ?? 0} to ${maximum}.`;
}
