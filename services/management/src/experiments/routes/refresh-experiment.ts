import { experimentParamsSchema, limits, succeed } from '@bandit/contracts';
import { Type } from '@sinclair/typebox';
import { answers } from '../../answers.ts';
import type { App } from '../../app.ts';
import { keepConnectionOpen } from '../../keep-connection-open.ts';
import type { ManagementDeps } from '../../management-deps.ts';
import { getExperiment } from '../read-experiments.ts';
import { refreshExperiment } from '../refresh-experiment.ts';

const refreshedSchema = Type.Object({
  experimentId: Type.String(),
  version: Type.Integer({ minimum: 0, description: 'Version of the rebuilt state.' }),
});

const answerWithinMs = limits.refreshTimeoutMs + limits.databaseStatementTimeoutMs;

export function registerRefreshExperiment(app: App, deps: ManagementDeps): void {
  app.post(
    '/experiments/:id/refresh',
    {
      onRequest: deps.access.session,
      config: { answerWithinMs },
      schema: {
        operationId: 'refreshExperiment',
        tags: ['Experiments'],
        summary: 'Rebuild the learned state from the recorded history',
        params: experimentParamsSchema,
        response: answers(200, refreshedSchema, { experimentId: 'exp_abc123', version: 42 }, [404]),
      },
    },
    async (request) => {
      const { companyId } = deps.access.callerOf(request);
      const { id } = request.params;
      keepConnectionOpen(request, answerWithinMs);
      await getExperiment(deps.db, companyId, id);
      const version = await refreshExperiment(deps.bus, companyId, id);
      return succeed({ experimentId: id, version }, deps.nowMs());
    },
  );
}
