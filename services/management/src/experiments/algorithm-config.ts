import { type Algorithm, ApiError, algorithmConfigSchemas } from '@bandit/contracts';
import { type PolicySpec, resolveOptions } from '@bandit/core';
import { describeSchema, flawOf, type SchemaNode } from './closed-schema.ts';

/**
 * Checks what a client configures against the algorithm's closed schema, then against bandit-core's own rules that
 * span fields.
 *
 * @throws ApiError VALIDATION_ERROR naming the option, the value received and all that the algorithm takes
 */
export function checkAlgorithmConfig(algorithm: Algorithm, config: Readonly<Record<string, unknown>>): void {
  const schema = algorithmConfigSchemas[algorithm] as SchemaNode;
  const flaw = flawOf(schema, config, 'algorithmConfig') ?? flawOfOptions(algorithm, config);
  if (flaw === undefined) return;
  throw new ApiError('VALIDATION_ERROR', `${flaw}. ${algorithm} takes ${describeSchema(schema)}`);
}

function flawOfOptions(algorithm: Algorithm, config: Readonly<Record<string, unknown>>): string | undefined {
  try {
    resolveOptions({ algorithm, config: config as PolicySpec['config'] });
    return undefined;
  } catch (error) {
    if (error instanceof RangeError) return `algorithmConfig: ${error.message}`;
    throw error;
  }
}
