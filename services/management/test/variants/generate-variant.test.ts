import { randomBytes } from 'node:crypto';
import { limits, makeId, type VariantStrategy, variantStrategies } from '@bandit/contracts';
import { createRng } from '@bandit/core';
import { insertCompany, partitionOfExperiment } from '@bandit/db';
import { forEachStore, type TestDatabase } from '@bandit/db/testing';
import { sql } from 'kysely';
import t, { type Test } from 'tap';
import { Agent } from 'undici';
import { type GenerateDeps, generateVariant } from '../../src/variants/generate-variant.ts';
import { createVariantWriter } from '../../src/variants/providers/create-variant-writer.ts';
import { openaiCompatible } from '../../src/variants/providers/openai-compatible.ts';
import {
  completion,
  goodVariant,
  hang,
  type ProviderDouble,
  type Reply,
  respond,
  startProviderDouble,
} from './provider-double.ts';

const never = new AbortController().signal;
const newId = (kind: 'company' | 'experiment' | 'treatment') => makeId(kind, randomBytes(16));
const goodReply = completion(JSON.stringify(goodVariant));

interface World {
  readonly db: TestDatabase['db'];
  readonly double: ProviderDouble;
  readonly deps: GenerateDeps;
  readonly published: string[];
}

async function setUp(t: Test, store: TestDatabase): Promise<World> {
  const double = await startProviderDouble(t);
  const dispatcher = new Agent();
  t.teardown(() => dispatcher.destroy());
  const published: string[] = [];
  const writer = createVariantWriter({
    provider: openaiCompatible({ baseUrl: double.url, apiKey: 'sk-secret', model: 'model-1' }),
    dispatcher,
    rng: createRng(5),
    nowMs: () => 0,
    wait: async () => undefined,
  });
  const bus = { publish: (subject: string) => void published.push(subject) };
  return {
    db: store.db,
    double,
    published,
    deps: { db: store.db, bus, randomBytes, ai: { writer, rng: createRng(5) } },
  };
}

interface MadeExperiment {
  readonly author: { readonly companyId: string; readonly actor: string };
  readonly experimentId: string;
  readonly treatmentIds: readonly string[];
}

async function makeCompany(db: World['db']): Promise<string> {
  const companyId = newId('company');
  await insertCompany(db, { id: companyId, name: 'Acme' });
  return companyId;
}

async function makeExperiment(
  { db }: World,
  options: { companyId?: string; name?: string; contents?: string[]; strategies?: (string | null)[] } = {},
): Promise<MadeExperiment> {
  const companyId = options.companyId ?? (await makeCompany(db));
  const id = newId('experiment');
  const experiment = {
    company_id: companyId,
    id,
    partition: partitionOfExperiment(id),
    name: options.name ?? 'Homepage',
  };
  await db
    .insertInto('experiments')
    .values({
      ...experiment,
      algorithm: 'THOMPSON_SAMPLING',
      content_type: 'PLAIN_TEXT',
      assignment_ttl: 60,
      status: 'active',
    })
    .execute();
  const treatmentIds: string[] = [];
  for (const [position, content] of (options.contents ?? ['Welcome', 'Start free']).entries()) {
    const treatmentId = newId('treatment');
    const strategy = options.strategies?.[position] ?? null;
    const config = JSON.stringify({ content });
    const row = {
      company_id: companyId,
      experiment_id: id,
      id: treatmentId,
      position,
      name: `T${position}`,
      config,
      weight: 1,
      strategy,
    };
    await db
      .insertInto('treatments')
      .values({ ...row, is_control: position === 0 })
      .execute();
    treatmentIds.push(treatmentId);
  }
  return { author: { companyId, actor: 'mbr_1' }, experimentId: id, treatmentIds };
}

/** What the learner would have counted. */
async function learn(
  { db }: World,
  made: MadeExperiment,
  position: number,
  trials: number,
  successes: number,
) {
  const place = {
    company_id: made.author.companyId,
    experiment_id: made.experimentId,
    treatment_id: made.treatmentIds[position]!,
  };
  const sums = { trials, successes, reward_sum: successes, reward_sq_sum: successes };
  await db
    .insertInto('treatment_days')
    .values({ ...place, day: '2026-01-15', ...sums })
    .execute();
}

const generate = (world: World, made: MadeExperiment, strategy?: VariantStrategy, stop = never) =>
  generateVariant(world.deps, made.author, { experimentId: made.experimentId, strategy }, stop);

/** Everything that a generate may leave behind. */
async function traces({ db }: World, made: MadeExperiment) {
  const { companyId } = made.author;
  const treatments = await db
    .selectFrom('treatments')
    .where('experiment_id', '=', made.experimentId)
    .select('id')
    .execute();
  const audit = await db.selectFrom('audit_log').where('company_id', '=', companyId).selectAll().execute();
  const claims = await db
    .selectFrom('variant_requests')
    .where('company_id', '=', companyId)
    .selectAll()
    .execute();
  const company = await db
    .selectFrom('companies')
    .where('id', '=', companyId)
    .selectAll()
    .executeTakeFirstOrThrow();
  return { nTreatments: treatments.length, audit, nClaims: claims.length, version: company.config_version };
}
const untouched = { nTreatments: 2, audit: [], nClaims: 0, version: 1 };

t.test('generateVariant', async (t) => {
  await forEachStore(t, async (t, store) => {
    await t.test('adds one treatment, audited and published', (t) => addsOne(t, store));
    await t.test('asks with the data of this experiment alone', (t) => asksWithOwnData(t, store));
    await t.test('draws the strategy by what has worked in this company', (t) => drawsStrategy(t, store));
    await t.test('refuses before it asks anyone', (t) => refuses(t, store));
    await t.test('keeps to one call per experiment', (t) => oneInFlight(t, store));
    await t.test('a failed call leaves nothing behind', (t) => failsClean(t, store));
    await t.test('looks again after the call', (t) => looksAgain(t, store));
    await t.test('a duplicate gets one more try', (t) => retriesDuplicate(t, store));
    await t.test('is stopped by the shutdown', (t) => stops(t, store));
  });
});

async function addsOne(t: Test, store: TestDatabase) {
  const world = await setUp(t, store);
  const made = await makeExperiment(world);
  world.double.reply(goodReply);
  const { treatment, strategy } = await generate(world, made, 'social proof');
  t.equal(strategy, 'social proof');
  t.match(treatment, {
    experiment_id: made.experimentId,
    name: 'Proof',
    description: 'Names others.',
    config: { content: 'Join 40 other teams' },
    weight: 1,
    is_control: false,
    position: 2,
    strategy: 'social proof',
    removed_at: null,
  });
  const { audit, ...rest } = await traces(world, made);
  t.same(rest, { nTreatments: 3, nClaims: 0, version: 2 });
  t.equal(audit.length, 1);
  t.match(audit[0], { actor: 'mbr_1', action: 'treatment.generate', target: treatment.id });
  t.match(audit[0]?.details, { strategy: 'social proof', provider: 'openai-compatible', model: 'model-1' });
  t.notMatch(JSON.stringify(audit), /sk-secret/);
  t.same(world.published, [`config.${made.author.companyId}`]);
}

async function asksWithOwnData(t: Test, store: TestDatabase) {
  const world = await setUp(t, store);
  const made = await makeExperiment(world, { contents: ['own control', 'own other', 'own removed'] });
  const { companyId } = made.author;
  await world.db
    .updateTable('treatments')
    .set({ removed_at: new Date(0) })
    .where('id', '=', made.treatmentIds[2]!)
    .execute();
  await learn(world, made, 0, 200, 10);
  await learn(world, made, 1, 100, 20);
  await makeExperiment(world, { companyId, name: 'Sibling', contents: ['sibling secret', 'sibling other'] });
  await makeExperiment(world, { name: 'Foreign', contents: ['foreign secret', 'foreign other'] });
  world.double.reply(goodReply);
  await generate(world, made, 'urgency');
  const asked = JSON.stringify(world.double.requests[0]?.body);
  t.match(asked, /own control/);
  t.match(asked, /Strategy: urgency/);
  t.notMatch(asked, /sibling|foreign|Sibling|Foreign|own removed/);
  t.notMatch(asked, new RegExp(`${companyId}|${made.experimentId}|mbr_1`), 'and no ids');
  const user = (world.double.requests[0]!.body.messages as { content: string }[])[1]!.content;
  // 10 / 200 = .05 and 20 / 100 = .2
  t.match(user, /"trials": 200,\s*"meanReward": 0.05/);
  t.match(user, /"trials": 100,\s*"meanReward": 0.2,\s*"probabilityOfBeingBest": 1/);
}

async function drawsStrategy(t: Test, store: TestDatabase) {
  const world = await setUp(t, store);
  const companyId = await makeCompany(world.db);
  const strategies = [null, ...variantStrategies];
  const contents = strategies.map((strategy) => `by ${strategy}`);
  // In 12 experiments curiosity beat the control and every other strategy lost to it.
  for (let i = 0; i < 12; i++) {
    const made = await makeExperiment(world, { companyId, contents, strategies });
    for (const [position, strategy] of strategies.entries()) {
      await learn(world, made, position, 1_000, strategy === 'curiosity' ? 80 : strategy === null ? 50 : 40);
    }
  }
  const drawn = new Set<string>();
  for (let i = 0; i < 5; i++) {
    world.double.reply(goodReply);
    drawn.add((await generate(world, await makeExperiment(world, { companyId }))).strategy);
  }
  t.comment('seed 5; P(Beta(13, 1) < max of 7 Beta(1, 13)) is about 1e-4');
  t.same([...drawn], ['curiosity']);
  const elsewhere = new Set<string>();
  for (let i = 0; i < 5; i++) {
    world.double.reply(goodReply);
    elsewhere.add((await generate(world, await makeExperiment(world))).strategy);
  }
  t.ok(elsewhere.size > 1, `another company learns nothing from it: ${[...elsewhere]}`);
}

async function refuses(t: Test, store: TestDatabase) {
  const world = await setUp(t, store);
  world.double.reply(goodReply);
  const made = await makeExperiment(world);
  const foreign = { ...made, author: { companyId: await makeCompany(world.db), actor: 'mbr_2' } };
  await t.rejects(generate(world, foreign), { code: 'EXPERIMENT_NOT_FOUND' }, 'another company');
  await t.rejects(generate(world, { ...made, experimentId: 'exp_unknown' }), {
    code: 'EXPERIMENT_NOT_FOUND',
  });

  const empty = await makeExperiment(world, { contents: [] });
  await t.rejects(generate(world, empty), { code: 'NO_TREATMENTS_TO_LEARN_FROM' });
  const full = await makeExperiment(world, {
    contents: Array.from({ length: limits.treatmentsLiveMax }, (_, i) => `content ${i}`),
  });
  await t.rejects(generate(world, full), { code: 'TOO_MANY_TREATMENTS' });

  const unconfigured = { ...world, deps: { ...world.deps, ai: undefined } };
  await t.rejects(generate(unconfigured, made), { code: 'AI_NOT_CONFIGURED' });
  await t.rejects(generate(unconfigured, empty), { code: 'NO_TREATMENTS_TO_LEARN_FROM' }, 'the caller first');

  t.equal(world.double.requests.length, 0);
  t.same(await traces(world, made), untouched);
}

async function oneInFlight(t: Test, store: TestDatabase) {
  const world = await setUp(t, store);
  const made = await makeExperiment(world);
  const sibling = await makeExperiment(world, { companyId: made.author.companyId });
  let finish: (() => void) | undefined;
  const later: Reply = (response, request) => {
    finish = () => goodReply(response, request);
  };
  world.double.reply(later, goodReply);
  const first = generate(world, made);
  await world.double.arrived(1);
  await t.rejects(generate(world, made), { code: 'AI_BUSY' });
  t.match(await generate(world, sibling), { treatment: { name: 'Proof' } }, 'another experiment is free');
  finish?.();
  t.match(await first, { treatment: { name: 'Proof' } });
  world.double.reply(completion(JSON.stringify({ ...goodVariant, content: 'Another one' })));
  t.match(await generate(world, made), { treatment: { config: { content: 'Another one' } } }, 'free again');

  // A process died in the middle of a call.
  const claim = { company_id: made.author.companyId, experiment_id: made.experimentId, token: 'dead' };
  await world.db.insertInto('variant_requests').values(claim).execute();
  await t.rejects(generate(world, made), { code: 'AI_BUSY' });
  await world.db
    .updateTable('variant_requests')
    .set({
      started_at: sql<Date>`clock_timestamp() - ${limits.aiRequestStaleMs + 1} * interval '1 millisecond'`,
    })
    .where('experiment_id', '=', made.experimentId)
    .execute();
  world.double.reply(completion(JSON.stringify({ ...goodVariant, content: 'A third one' })));
  t.match(await generate(world, made), { treatment: { config: { content: 'A third one' } } }, 'taken over');
}

async function failsClean(t: Test, store: TestDatabase) {
  const world = await setUp(t, store);
  const made = await makeExperiment(world);
  const replies: [string, Reply][] = [
    ['500', respond(500, 'oops')],
    ['401', respond(401, '{}')],
    ['a wrong schema', completion('{"headline": 5}')],
    ['prose', completion('No.')],
  ];
  for (const [name, reply] of replies) {
    world.double.reply(reply);
    await t.rejects(generate(world, made), { name: 'ProviderFailure' }, name);
    t.same(await traces(world, made), untouched, `${name}: nothing changed, the claim is given back`);
  }
  // Our own failure in the middle of the adding transaction: the audit id cannot be made.
  world.double.reply(goodReply);
  let nCalls = 0;
  const broken = (n: number) => {
    // The claim's token and the treatment's id come first.
    nCalls += 1;
    if (nCalls === 3) throw new Error('no entropy');
    return randomBytes(n);
  };
  await t.rejects(generate({ ...world, deps: { ...world.deps, randomBytes: broken } }, made), {
    message: 'no entropy',
  });
  t.same(await traces(world, made), untouched);
  t.same(world.published, []);
}

async function looksAgain(t: Test, store: TestDatabase) {
  const world = await setUp(t, store);
  const made = await makeExperiment(world);
  /** Answers after `change` has happened. */
  const meanwhile = async (change: () => Promise<unknown>) => {
    let finish: (() => void) | undefined;
    world.double.reply((response, request) => {
      finish = () => goodReply(response, request);
    });
    const call = generate(world, made);
    await world.double.arrived(1);
    await change();
    finish?.();
    return call;
  };
  const ownRows = () =>
    world.db.selectFrom('treatments').where('experiment_id', '=', made.experimentId).selectAll();
  const [template] = await ownRows().execute();
  const sameContent = { ...template!, id: newId('treatment'), position: 2, is_control: false };
  await t.rejects(
    meanwhile(() =>
      world.db
        .insertInto('treatments')
        .values({ ...sameContent, config: JSON.stringify({ content: ' Join 40  other teams' }) })
        .execute(),
    ),
    { name: 'ProviderFailure', reason: 'answer-duplicate' },
    'the same content was added by hand',
  );
  t.match(await traces(world, made), { nTreatments: 3, nClaims: 0, audit: [] });
  await world.db.deleteFrom('treatments').where('id', '=', sameContent.id).execute();

  await t.rejects(
    meanwhile(() =>
      world.db
        .updateTable('variant_requests')
        .set({ token: 'other' })
        .where('experiment_id', '=', made.experimentId)
        .execute(),
    ),
    { code: 'AI_BUSY' },
    'the claim was lost to another process',
  );
  t.match(await traces(world, made), { nTreatments: 2, nClaims: 1, audit: [] }, 'which keeps its claim');
}

async function retriesDuplicate(t: Test, store: TestDatabase) {
  const world = await setUp(t, store);
  const made = await makeExperiment(world);
  const copy = completion(JSON.stringify({ ...goodVariant, content: ' Start  free ' }));
  world.double.reply(copy, goodReply);
  t.match(await generate(world, made), { treatment: { config: { content: 'Join 40 other teams' } } });
  t.equal(world.double.requests.length, 2);
  world.double.reply(copy);
  await t.rejects(generate(world, made), { name: 'ProviderFailure', reason: 'answer-duplicate' });
  t.equal(world.double.requests.length, 2);
  t.match(await traces(world, made), { nTreatments: 3, nClaims: 0 });
}

async function stops(t: Test, store: TestDatabase) {
  const world = await setUp(t, store);
  const made = await makeExperiment(world);
  world.double.reply(hang);
  const stop = new AbortController();
  const call = generate(world, made, undefined, stop.signal);
  await world.double.arrived(1);
  stop.abort(new Error('shutting down'));
  await t.rejects(call, { message: 'shutting down' });
  t.same(await traces(world, made), untouched);
}
