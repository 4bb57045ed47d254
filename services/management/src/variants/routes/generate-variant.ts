import {
  ApiError,
  experimentParamsSchema,
  limits,
  stringEnum,
  succeed,
  treatmentSchema,
  variantStrategies,
} from '@bandit/contracts';
import { Type } from '@sinclair/typebox';
import type { FastifyRequest } from 'fastify';
import { answers, withExample } from '../../answers.ts';
import type { App } from '../../app.ts';
import { treatmentExample } from '../../examples.ts';
import { presentTreatment } from '../../experiments/present-experiment.ts';
import { keepConnectionOpen } from '../../keep-connection-open.ts';
import type { ManagementDeps } from '../../management-deps.ts';
import { generateVariant } from '../generate-variant.ts';
import { ProviderFailure } from '../providers/provider-failure.ts';
import type { RunningCalls } from '../running-calls.ts';

const strategySchema = stringEnum(variantStrategies, {
  description: 'Left out: drawn by what has worked in this company.',
});
const bodySchema = Type.Object(
  { strategy: Type.Optional(strategySchema) },
  { additionalProperties: false, description: 'Optional: a request without a body is the same as {}.' },
);
const variantSchema = Type.Composite([
  treatmentSchema,
  Type.Object({ strategy: stringEnum(variantStrategies) }),
]);
const variantExample = { ...treatmentExample, strategy: 'urgency' };

/** The provider's time, and as much again as a slow database may take before and after it. */
const answerWithinMs = limits.aiTimeoutMs + limits.databaseStatementTimeoutMs;

export function registerGenerateVariant(app: App, deps: ManagementDeps, calls: RunningCalls): void {
  app.post(
    '/experiments/:id/generate-variant',
    {
      onRequest: deps.access.session,
      config: { answerWithinMs },
      preValidation: async (request) => {
        request.body ??= {};
      },
      schema: {
        operationId: 'generateVariant',
        tags: ['Experiments'],
        summary: 'Generate a treatment with AI and add it',
        params: experimentParamsSchema,
        body: withExample(bodySchema, { strategy: 'urgency' }),
        response: answers(201, variantSchema, variantExample, [400, 404, 502]),
      },
    },
    async (request, reply) => {
      keepConnectionOpen(request, answerWithinMs);
      const wanted = { experimentId: request.params.id, strategy: request.body.strategy };
      const { treatment, strategy } = await calls
        .run((stop) => generateVariant(deps, deps.access.callerOf(request), wanted, stop))
        .catch((error: unknown) => {
          if (error instanceof ApiError && error.code === 'AI_BUSY')
            reply.header('retry-after', retryAfterSeconds);
          throw toAnswer(error, request, deps);
        });
      return reply.code(201).send(succeed({ ...presentTreatment(treatment), strategy }, deps.nowMs()));
    },
  );
}

/** About what a call takes: asking every second would be asking too often. */
const retryAfterSeconds = '5';

/** One fixed sentence for whatever a provider did; the log says which, without a word of the provider's. */
function toAnswer(error: unknown, request: FastifyRequest, { ai }: ManagementDeps): unknown {
  if (!(error instanceof ProviderFailure)) return error;
  request.log.warn(
    {
      reason: error.reason,
      status: error.status,
      provider: ai?.writer.providerName,
      model: ai?.writer.model,
    },
    'the AI provider gave no usable variant',
  );
  return new ApiError(
    'AI_PROVIDER_FAILED',
    'the AI provider gave no usable variant; nothing was added: try again later',
  );
}
