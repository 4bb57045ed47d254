/** The trace of a refresh, from an HTTP request through a real NATS to the learner: no context crosses a socket by itself. */
import { forEachStore } from '@bandit/db/testing';
import { createHttpServer } from '@bandit/http';
import { Registry } from 'prom-client';
import t from 'tap';
import { findNats, prepareBuses, reportMissing } from '../../../../packages/bus/test/nats/shared-nats.ts';
import { until } from '../../../../packages/bus/test/until.ts';
import {
  parentId,
  recordSpans,
  traceId,
  traceparent,
} from '../../../../packages/http/test/tracing/record-spans.ts';
import { refreshExperiment } from '../../../management/src/experiments/refresh-experiment.ts';
import { createLearnerRuntime } from '../../src/index.ts';
import { countingBytes, createWorld } from '../fixtures/world.ts';

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
const takeSpans = recordSpans();
const nowMs = () => Date.now();

const url = await findNats(t);
if (url === undefined) reportMissing(t);
else {
  await t.test('a refresh is one trace over NATS', async (t) => {
    await forEachStore(t, async (t, { open }) => {
      const db = open({ max: 6 });
      const world = await createWorld(db, 'tr');
      await world.addExperiment({ id: 'tr_e' });
      const buses = prepareBuses(t, url);
      const [asking, answering] = [buses.open().bus, buses.open().bus];
      await until(() => asking.isConnected() && answering.isConnected(), 'both connections');
      const randomBytes = countingBytes('tr');
      const learner = createLearnerRuntime({
        db,
        bus: answering,
        nowMs,
        log: silent,
        isShared: false,
        randomBytes,
      });
      t.teardown(() => learner.close());
      await learner.start();
      const app = await createHttpServer({
        service: 'management',
        version: '0',
        logger: false,
        nowMs,
        registry: new Registry(),
        makeRequestId: () => 'request',
      });
      t.teardown(() => app.close());
      app.get('/refresh', { schema: { operationId: 'refresh' } }, async () => ({
        version: await refreshExperiment(asking, 'tr', 'tr_e'),
      }));
      takeSpans();
      const answer = await app.inject({ url: '/refresh', headers: { traceparent } });
      t.equal(answer.statusCode, 200, answer.body);
      const spans = takeSpans().filter((span) => span.spanContext().traceId === traceId);
      const names: string[] = [];
      for (let at: string | undefined = parentId; at !== undefined; ) {
        const span = spans.find((one) => one.parentSpanContext?.spanId === at);
        if (span !== undefined) names.push(span.name);
        at = span?.spanContext().spanId;
      }
      t.strictSame(names, ['GET /refresh', 'refresh request', 'learner refresh']);
      const remote = spans.find((span) => span.name === 'learner refresh');
      t.equal(remote?.parentSpanContext?.isRemote, true, 'the learner took its parent from the message');
    });
  });
}
