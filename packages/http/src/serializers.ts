import fastJsonStringify from 'fast-json-stringify';
import type { FastifyInstance, FastifySerializerCompiler } from 'fastify';
import { normaliseSchema } from './normalise-schema.ts';

/**
 * Answers are written by compiled serialisers. Schemas are read literally first: a record writes every key, line
 * breaks included, and a nullable field is no union that would need a validator for each answer.
 */
export function useSerializers(app: FastifyInstance): void {
  const compile: FastifySerializerCompiler<unknown> = ({ schema }) =>
    fastJsonStringify(normaliseSchema(schema, true) as fastJsonStringify.Schema);
  app.setSerializerCompiler(compile);
}
