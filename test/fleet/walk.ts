import type { Test } from 'tap';
import { type Client, until } from '../platform/client.ts';

/** The reference's main walk, with the answers that a single process gives. */
export async function walk(t: Test, client: Client): Promise<void> {
  const experimentId = await makeExperiment(t, client);
  await t.test('assignments', (t) => assign(t, client, experimentId));
  await t.test('events', (t) => track(t, client, experimentId));
  await t.test('funnels', (t) => fund(t, client, experimentId));
  await t.test('results and refresh', (t) => compareResults(t, client, experimentId));
}

async function makeExperiment(t: Test, client: Client): Promise<string> {
  const created = await client.manage('POST', '/experiments', { name: 'Walked', algorithm: 'UCB1' });
  t.equal(created.status, 201);
  t.equal(created.body.data.status, 'draft');
  const { id } = created.body.data;
  const early = await client.track('POST', '/assignments', { experimentId: id, userId: 'early' });
  t.equal(early.status, 400, 'a draft is not served');
  for (const name of ['A', 'B']) {
    const added = await client.manage('POST', `/experiments/${id}/treatments`, {
      name,
      config: { content: name },
    });
    t.equal(added.status, 201);
  }
  t.equal((await client.manage('PUT', `/experiments/${id}`, { status: 'ACTIVE' })).status, 200);
  t.equal((await client.manage('GET', '/experiments')).body.data.length, 1);
  t.equal((await client.manage('POST', '/experiments', { name: 'x' })).status, 400);
  t.equal((await client.manage('GET', '/experiments/exp_none')).status, 404);
  return id;
}

async function assign(t: Test, client: Client, experimentId: string): Promise<void> {
  const first = await client.track('POST', '/assignments', { experimentId, userId: 'user 1' });
  t.equal(first.status, 200);
  t.match(first.headers.get('x-request-id'), /./);
  for (let i = 0; i < 6; i += 1) {
    const again = await client.track('GET', `/assignments/${experimentId}?userId=user%201`);
    t.strictSame(again.body.data, first.body.data, 'every process answers the same');
  }
  const head = await client.track('HEAD', `/assignments/${experimentId}?userId=user%201`);
  t.equal(head.status, 200);
  t.equal(head.body, undefined);
  const many = await Promise.all(
    Array.from({ length: 20 }, () =>
      client.track('POST', '/assignments', { experimentId, userId: 'at once' }),
    ),
  );
  t.equal(new Set(many.map(({ body }) => body.data.assignmentId)).size, 1, 'one assignment for all at once');
  t.equal((await client.track('GET', `/assignments/${experimentId}`)).status, 400);
  t.equal(
    (await client.track('POST', '/assignments', { experimentId: 'exp_none', userId: 'a' })).status,
    404,
  );
  t.equal((await client.manage('POST', '/assignments', { experimentId, userId: 'a' })).status, 401);
}

async function track(t: Test, client: Client, experimentId: string): Promise<void> {
  const { body } = await client.track('POST', '/assignments', { experimentId, userId: 'buyer' });
  const { assignmentId } = body.data;
  const conversion = {
    assignmentId,
    eventType: 'CONVERSION',
    value: 29.99,
    metadata: { product: 'premium' },
  };
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => client.track('POST', '/events', conversion)),
  );
  const statuses = answers.map(({ status }) => status).sort();
  t.strictSame(statuses, [201, ...Array(19).fill(409)], 'twenty at once: one 201');
  const stored = answers.find(({ status }) => status === 201)?.body.data;
  for (const answer of answers) {
    if (answer.status === 409) t.equal(answer.body.details.eventId, stored.id);
  }
  t.equal((await client.track('POST', '/events', { eventType: 'CLICK' })).status, 400);
  t.equal(
    (await client.track('POST', '/events', { assignmentId: 'asgn_none', eventType: 'CLICK' })).status,
    404,
  );
  const batch = await client.track('POST', '/events/batch', {
    events: [
      { assignmentId, eventType: 'CLICK' },
      { assignmentId, eventType: 'VIEW' },
    ],
  });
  t.equal(batch.status, 201);
  const mixed = await client.track('POST', '/events/batch', {
    events: [
      { assignmentId, eventType: 'CLICK' },
      { assignmentId, eventType: 'CUSTOM' },
      { eventType: 'NONE' },
    ],
  });
  t.equal(mixed.status, 207);
  t.match(mixed.body.data, { total: 3, success_count: 1, errors: [{ status: 409 }, { status: 400 }] });
  t.equal((await client.track('POST', '/events/batch', { events: [] })).status, 400);
  const list = await until(
    () => client.manage('GET', `/events/${experimentId}?limit=100`),
    ({ body }) => body.data.some(({ eventType }: { eventType: string }) => eventType === 'CUSTOM'),
    5_000,
  );
  t.equal(list.status, 200);
  const own = list.body.data.filter(({ userId }: { userId: string }) => userId === 'buyer');
  t.strictSame(own.map(({ eventType }: { eventType: string }) => eventType).sort(), [
    'ASSIGNMENT',
    'CLICK',
    'CONVERSION',
    'CUSTOM',
    'VIEW',
  ]);
}

async function fund(t: Test, client: Client, experimentId: string): Promise<void> {
  const made = await client.manage('POST', '/funnels', { name: 'Checkout', experimentIds: [experimentId] });
  t.equal(made.status, 201);
  const { id } = made.body.data;
  t.equal((await client.manage('GET', `/funnels/${id}`)).body.data.experiments[0].id, experimentId);
  t.equal((await client.track('POST', '/assignments', { experimentId, userId: 'rewarded' })).status, 200);
  const reward = { userId: 'rewarded', value: 5 };
  t.equal((await client.track('POST', `/funnels/${id}/reward`, reward)).status, 200, 'at once');
  t.equal((await client.track('POST', `/funnels/${id}/reward`, reward)).status, 409);
  t.equal((await client.manage('POST', `/funnels/${id}/reward`, { userId: 'nobody', value: 5 })).status, 404);
  t.equal((await client.manage('DELETE', `/funnels/${id}`)).status, 200);
  t.equal((await client.manage('DELETE', `/funnels/${id}`)).status, 404);
}

async function compareResults(t: Test, client: Client, experimentId: string): Promise<void> {
  // The buyer's conversion and the funnel's reward.
  const results = await until(
    () => client.manage('GET', `/experiments/${experimentId}/results`),
    ({ body }) => body.data.totals.conversions === 2 && body.data.totals.trials === 4,
    30_000,
  );
  t.match(results.body.data.totals, { trials: 4, conversions: 2 });
  const refreshed = await client.manage('POST', `/experiments/${experimentId}/refresh`);
  t.equal(refreshed.status, 200);
  const after = await client.manage('GET', `/experiments/${experimentId}/results`);
  t.strictSame(after.body.data.treatments, results.body.data.treatments);
}
