import { type ApiError, treatmentSchema, variantStrategies } from '@bandit/contracts';
import { createRng } from '@bandit/core';
import { createTestDatabase } from '@bandit/db/testing';
import t, { type Test } from 'tap';
import { connectAi } from '../../src/index.ts';
import { createRunningCalls } from '../../src/variants/running-calls.ts';
import { createHarness } from '../harness.ts';
import {
  anthropicMessage,
  completion,
  goodVariant,
  hang,
  respond,
  startProviderDouble,
} from './provider-double.ts';

const goodReply = completion(JSON.stringify(goodVariant));

const store = await createTestDatabase(t);

async function setUp(t: Test, provider: 'openai' | 'anthropic' = 'openai') {
  const double = await startProviderDouble(t);
  double.reply(goodReply);
  const settings = { provider, baseUrl: double.url, apiKey: 'sk-secret', model: 'model-1' };
  const ai = connectAi({ settings, rng: createRng(11), nowMs: () => 0 });
  t.teardown(() => ai.close());
  const harness = await createHarness(t, store, { ai });
  const tenant = await harness.tenant();
  return { double, harness, tenant };
}

t.test('POST /experiments/:id/generate-variant', async (t) => {
  const { double, harness, tenant } = await setUp(t);
  const experiment = await tenant.activeExperiment();
  const url = `/experiments/${experiment.id}/generate-variant`;
  t.beforeEach(() => double.reply(goodReply));

  t.test('201: the treatment as adding answers it, and the strategy', async (t) => {
    const { status, body } = await tenant.call('POST', url, { strategy: 'social proof' });
    t.equal(status, 201);
    t.equal(body.success, true);
    t.same(Object.keys(body.data).sort(), [...Object.keys(treatmentSchema.properties), 'strategy'].sort());
    t.match(body.data, {
      experimentId: experiment.id,
      name: 'Proof',
      config: { content: 'Join 40 other teams' },
      weight: 1,
      isControl: false,
      strategy: 'social proof',
    });
    const listed = (await tenant.call('GET', `/experiments/${experiment.id}`)).body.data.treatments;
    const { strategy: _, ...treatment } = body.data;
    t.same(listed.at(-1), treatment, 'and it is listed');
    const { body: log } = await tenant.call('GET', '/audit-log');
    t.match(log.data[0], { action: 'treatment.generate', target: body.data.id, actor: tenant.adminId });
    t.match(log.data[0].details, { strategy: 'social proof', model: 'model-1' });
  });

  t.test('201 without a body: a strategy is drawn', async (t) => {
    const { id } = await tenant.activeExperiment();
    const { status, body } = await tenant.call('POST', `/experiments/${id}/generate-variant`);
    t.equal(status, 201);
    t.ok(variantStrategies.includes(body.data.strategy), body.data.strategy);
    const other = await tenant.activeExperiment();
    t.equal((await tenant.call('POST', `/experiments/${other.id}/generate-variant`, {})).status, 201);
  });

  t.test('400: bad bodies, and no treatments to learn from', async (t) => {
    const bodies: [unknown, RegExp][] = [
      [{ strategy: 'shouting' }, /strategy.*emotional appeal.*urgency.*social proof/s],
      [{ strategy: 'URGENCY' }, /strategy/],
      [{ strategy: null }, /strategy/],
      [{ strategy: 'urgency', model: 'mine' }, /model/],
      [[], /body/],
    ];
    for (const [payload, message] of bodies) {
      const { status, body } = await tenant.call('POST', url, payload);
      t.same([status, body.code], [400, 'VALIDATION_ERROR'], JSON.stringify(payload));
      t.match(body.error, message);
    }
    const { id } = await tenant.experiment();
    const { status, body } = await tenant.call('POST', `/experiments/${id}/generate-variant`);
    t.same([status, body.code], [400, 'NO_TREATMENTS_TO_LEARN_FROM']);
    t.equal(double.requests.length, 0);
  });

  t.test('401 without a session; 404 alike for unknown and foreign experiments', async (t) => {
    t.equal((await tenant.call('POST', url, {}, null)).status, 401);
    const unknown = await tenant.call('POST', '/experiments/exp_unknown/generate-variant');
    const other = await harness.tenant();
    const foreign = await other.call('POST', url);
    t.same([unknown.status, unknown.body.code], [404, 'EXPERIMENT_NOT_FOUND']);
    t.same([foreign.status, foreign.body.error], [404, unknown.body.error]);
    t.equal(double.requests.length, 0);
  });

  t.test('502: a fixed sentence, whatever the provider did', async (t) => {
    const { id } = await tenant.activeExperiment();
    const replies = [
      respond(401, '{"error":"invalid key sk-secret"}'),
      respond(200, '<html>'),
      completion('{"name":"<script>","content":5}'),
      completion(JSON.stringify({ ...goodVariant, content: 'Welcome' })),
    ];
    const sentences = new Set<string>();
    for (const reply of replies) {
      double.reply(reply);
      const { status, body, text } = await tenant.call('POST', `/experiments/${id}/generate-variant`);
      t.same([status, body.code], [502, 'AI_PROVIDER_FAILED']);
      t.notMatch(text, /sk-secret|html|script|127\.0\.0\.1/);
      sentences.add(body.error);
    }
    t.equal(sentences.size, 1);
    const listed = await tenant.call('GET', `/experiments/${id}`);
    t.equal(listed.body.data.treatments.length, 2, 'nothing was added');
  });

  t.test('503: one call at a time per experiment', async (t) => {
    const { id } = await tenant.activeExperiment();
    let finish: (() => void) | undefined;
    double.reply((response, request) => {
      finish = () => goodReply(response, request);
    });
    const first = tenant.call('POST', `/experiments/${id}/generate-variant`);
    await double.arrived(1);
    const second = await tenant.call('POST', `/experiments/${id}/generate-variant`);
    t.same([second.status, second.body.code], [503, 'AI_BUSY']);
    t.equal(second.headers['retry-after'], '5');
    finish?.();
    t.equal((await first).status, 201);
  });
});

t.test('503 without a provider', async (t) => {
  const harness = await createHarness(t, store);
  const tenant = await harness.tenant();
  const { id } = await tenant.activeExperiment();
  const { status, body } = await tenant.call('POST', `/experiments/${id}/generate-variant`);
  t.same([status, body.code], [503, 'AI_NOT_CONFIGURED']);
  t.equal((await tenant.call('POST', '/experiments/exp_unknown/generate-variant')).status, 404);
});

t.test('Anthropic answers through the same route', async (t) => {
  const { double, tenant } = await setUp(t, 'anthropic');
  double.reply(anthropicMessage([{ type: 'text', text: JSON.stringify(goodVariant) }]));
  const { id } = await tenant.activeExperiment();
  const { status, body } = await tenant.call('POST', `/experiments/${id}/generate-variant`);
  t.same([status, body.data?.name], [201, 'Proof']);
  t.equal(double.requests[0]?.path, '/v1/messages');
});

t.test('closing the server ends a running call with 503', async (t) => {
  const { double, harness, tenant } = await setUp(t);
  const { id } = await tenant.activeExperiment();
  double.reply(hang);
  const call = tenant.call('POST', `/experiments/${id}/generate-variant`);
  await double.arrived(1);
  await harness.app.close();
  const { status, body } = await call;
  t.same([status, body.code], [503, 'SHUTTING_DOWN']);
  const claims = await harness.db.selectFrom('variant_requests').selectAll().execute();
  t.same(claims, [], 'and the claim is given back');
});

t.test('createRunningCalls: after close no call begins', async (t) => {
  const calls = createRunningCalls();
  await calls.close();
  let hasBegun = false;
  const late = calls.run(async () => {
    hasBegun = true;
  });
  await t.rejects(late, { code: 'SHUTTING_DOWN' } as ApiError);
  t.equal(hasBegun, false);
});
