import { trace } from '@opentelemetry/api';
import t from 'tap';
import { isTracing, spanAround, traceFields } from '../../src/index.ts';
import { addItemRoutes, openServer } from '../test-server.ts';
import { traceparent } from './record-spans.ts';

t.test('without an SDK nothing is traced and everything works', async (t) => {
  const app = await openServer();
  t.teardown(() => app.close());
  addItemRoutes(app);
  app.get('/waits', { schema: { operationId: 'waits' } }, () =>
    spanAround('a wait', async () => ({ isTraced: trace.getActiveSpan() !== undefined, ...traceFields() })),
  );
  t.equal(isTracing(), false);
  t.strictSame((await app.inject({ url: '/waits', headers: { traceparent } })).json(), { isTraced: false });
  await t.rejects(
    spanAround('a wait', () => Promise.reject(new Error('no'))),
    /^no$/,
  );
});
