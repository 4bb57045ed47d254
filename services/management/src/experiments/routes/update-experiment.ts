import {
  ApiError,
  experimentParamsSchema,
  experimentSchema,
  succeed,
  updateExperimentSchema,
} from '@bandit/contracts';
import type { preValidationHookHandler } from 'fastify';
import { answers, withExample } from '../../answers.ts';
import type { App } from '../../app.ts';
import { experimentExample } from '../../examples.ts';
import type { ManagementDeps } from '../../management-deps.ts';
import { presentExperiment } from '../present-experiment.ts';
import { updateExperiment } from '../update-experiment.ts';

export function registerUpdateExperiment(app: App, deps: ManagementDeps): void {
  app.put(
    '/experiments/:id',
    {
      onRequest: deps.access.session,
      preValidation: refuseFixedFields,
      schema: {
        operationId: 'updateExperiment',
        tags: ['Experiments'],
        summary: 'Change properties or status; ACTIVE activates',
        params: experimentParamsSchema,
        body: withExample(updateExperimentSchema, { status: 'ACTIVE' }),
        response: answers(200, experimentSchema, { ...experimentExample, status: 'active' }, [400, 404]),
      },
    },
    async (request) => {
      const caller = deps.access.callerOf(request);
      const updated = await updateExperiment(deps, caller, request.params.id, request.body);
      return succeed(presentExperiment(updated), deps.nowMs());
    },
  );
}

const fixedFields = ['id', 'contentType', 'treatments', 'createdAt', 'updatedAt'];

/** Fields of an experiment that no PUT changes: told apart from fields that do not exist. */
const refuseFixedFields: preValidationHookHandler = (request, _reply, done) => {
  const body = request.body;
  const isObject = typeof body === 'object' && body !== null;
  const field = isObject ? fixedFields.find((name) => Object.hasOwn(body, name)) : undefined;
  if (field === undefined) return done();
  const allowed = Object.keys(updateExperimentSchema.properties).join(', ');
  done(new ApiError('FIELD_NOT_CHANGEABLE', `${field} cannot change; PUT takes ${allowed}`));
};
