import type { Test } from 'tap';
import { until } from '../platform/client.ts';
import type { RunningPlatform } from '../platform/kinds.ts';
import { adminEmail, createFuzzClient, makeExperiment } from './fuzz-client.ts';

const learnedWithinMs = 30_000;

/** Whatever came before: no process ended, all are ready, and what happens is still learned. */
export async function checkAfterwards(t: Test, platform: RunningPlatform): Promise<void> {
  const client = createFuzzClient(platform.url);
  t.teardown(() => client.close());
  t.strictSame(platform.findEnded(), [], 'no process ended');
  const ready = await client.send({ method: 'GET', path: '/readyz', headers: {}, body: undefined });
  t.equal(ready.status, 200);
  const { instances = {} } = JSON.parse(ready.text) as { instances?: Record<string, string> };
  t.strictSame(
    Object.entries(instances).filter(([, state]) => state !== 'ready'),
    [],
    'every process is ready',
  );
  const { id, assignmentId } = await makeExperiment(client, platform);
  const key = { 'x-api-key': platform.apiKey };
  const event = await client.call('POST', '/events', key, { assignmentId, eventType: 'CONVERSION' });
  t.equal(event.success, true);
  const results = await until(
    () => client.call('GET', `/experiments/${id}/results`, platform.sessionOf(adminEmail)),
    ({ data }) => data.totals.conversions > 0,
    learnedWithinMs,
  );
  t.equal(results.data.totals.conversions, 1, 'the conversion was learned');
}
