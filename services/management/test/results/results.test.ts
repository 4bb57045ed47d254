import { limits, type Results, type TreatmentResult } from '@bandit/contracts';
import { betaBest, createLearner, rateInterval, resolveOptions } from '@bandit/core';
import { createTestDatabase } from '@bandit/db/testing';
import t from 'tap';
import { countPending, windowStart } from '../../src/results/count-pending.ts';
import { inferResults } from '../../src/results/infer-results.ts';
import type { MeasuredTreatment } from '../../src/results/measured-treatment.ts';
import { createResultsThread } from '../../src/results/results-thread.ts';
import { sumDays, type TreatmentDay } from '../../src/results/sum-days.ts';
import { createHarness, insertAssignment } from '../harness.ts';

const emptyDay = {
  company_id: 'cmp_1',
  experiment_id: 'exp_1',
  trials: 0,
  successes: 0,
  first_trials: 0,
  first_successes: 0,
  late: 0,
  reward_sum: 0,
  reward_sq_sum: 0,
  propensity_trials: 0,
  ipw_sum: 0,
  ipw_reward_sum: 0,
};

/** A binary day: every trial is its user's first. */
function binaryDay(treatmentId: string, day: string, n: number, s: number): TreatmentDay {
  const counts = {
    trials: n,
    successes: s,
    first_trials: n,
    first_successes: s,
    reward_sum: s,
    reward_sq_sum: s,
  };
  return { ...emptyDay, treatment_id: treatmentId, day, ...counts };
}

function measured(id: string, days: readonly TreatmentDay[], isLive = true): MeasuredTreatment {
  return { id, name: id, isLive, days, totals: sumDays(days) };
}

const thompson = resolveOptions({ algorithm: 'THOMPSON_SAMPLING', config: {} });

t.test('windows: matured at once without one, else open for attributionWindow seconds', (t) => {
  t.equal(windowStart(0, 1e12), undefined);
  const nowMs = Date.UTC(2026, 0, 10, 6);
  const start = windowStart(86_400, nowMs)!;
  t.same(start, { openAfterMs: Date.UTC(2026, 0, 9, 6), dayEndMs: Date.UTC(2026, 0, 10) });
  const days = ['2026-01-08', '2026-01-09', '2026-01-10'].map((day) => binaryDay('a', day, 10, 1));
  // All 10 of the 10th, 4 of the 9th (made after 6 o'clock), none of the 8th.
  t.equal(countPending(days, start, 4), 14);
  t.equal(countPending(days, start, 25), 20, 'the log may be ahead of the counters');
  t.equal(countPending(days, undefined, 4), 0);
  t.end();
});

t.test(
  'binary: first trials for interval and winner, all trials for P(best), removed ones keep their interval',
  (t) => {
    const days = [
      { ...binaryDay('a', '2026-01-01', 1_000, 100), trials: 1_200, successes: 120, reward_sum: 120 },
      { ...binaryDay('b', '2026-01-01', 1_000, 20) },
      { ...binaryDay('c', '2026-01-01', 10, 9) },
    ] as const;
    const treatments = [measured('a', [days[0]]), measured('b', [days[1]]), measured('c', [days[2]], false)];
    const {
      treatments: lines,
      winner,
      winnerIfRatesConstant,
      methods,
    } = inferResults(thompson, treatments, undefined);
    t.equal(lines[0]?.rewardMean, 120 / 1_200);
    t.same(lines[0]?.interval, rateInterval({ n: 1_000, s: 100 }, 0.05));
    const best = betaBest([121, 21], [1_081, 981]);
    t.equal(lines[0]?.probabilityBest, best[0]);
    t.equal(lines[1]?.probabilityBest, best[1]);
    t.match(lines[2], { rewardMean: 0.9, probabilityBest: null, expectedLoss: null });
    t.ok(lines[2]?.interval !== null);
    t.match(winner, { isDeclared: true, leaderId: 'a' });
    // Three treatments were served: ln((3 - 1) / .05).
    t.ok(Math.abs((winner.logThreshold ?? 0) - Math.log(40)) < 1e-12);
    t.match(winnerIfRatesConstant, { isDeclared: true, leaderId: 'a' });
    t.equal(methods.interval.kind, 'exact');
    t.end();
  },
);

t.test('binary: no winner among equals, none without data, none alone', (t) => {
  const equal = [
    measured('a', [binaryDay('a', '2026-01-01', 5_000, 250)]),
    measured('b', [binaryDay('b', '2026-01-01', 5_000, 250)]),
  ];
  t.equal(inferResults(thompson, equal, undefined).winner.isDeclared, false);
  const empty = inferResults(thompson, [measured('a', []), measured('b', [])], undefined);
  t.match(empty.winner, { isDeclared: false, leaderId: null });
  t.match(empty.treatments[0], { rewardMean: null, interval: null, probabilityBest: 0.5 });
  const alone = inferResults(thompson, [measured('a', [binaryDay('a', '2026-01-01', 100, 90)])], undefined);
  t.match(alone.winner, { isDeclared: false, statement: /at least two/ });
  t.doesNotThrow(() => inferResults(thompson, [], undefined));
  t.end();
});

t.test('binary: rates that move from day to day fool the constant test, not the statement', (t) => {
  // Equal arms: 50 % on day 1, 5 % on day 2; the traffic moved from a to b in between.
  const days = [
    [binaryDay('a', '2026-01-01', 9_000, 4_500), binaryDay('a', '2026-01-02', 1_000, 50)],
    [binaryDay('b', '2026-01-01', 1_000, 500), binaryDay('b', '2026-01-02', 9_000, 450)],
  ] as const;
  const { winner, winnerIfRatesConstant } = inferResults(
    thompson,
    [measured('a', days[0]), measured('b', days[1])],
    undefined,
  );
  t.equal(winnerIfRatesConstant?.isDeclared, true);
  t.equal(winner.isDeclared, false);
  t.end();
});

t.test('numeric: bounded interval with a valueRange that holds, asymptotic and labelled so without', (t) => {
  const day = (id: string, n: number, s: number, s2: number): TreatmentDay => ({
    ...emptyDay,
    treatment_id: id,
    day: '2026-01-01',
    trials: n,
    successes: n,
    reward_sum: s,
    reward_sq_sum: s2,
  });
  // a: 4,000 rewards of 9 and 1 in halves: mean 5, mean square 41; b: all 1.
  const treatments = [
    measured('a', [day('a', 4_000, 20_000, 164_000)]),
    measured('b', [day('b', 4_000, 4_000, 4_000)]),
  ];
  const infer = (config: object) =>
    inferResults(
      resolveOptions({ algorithm: 'THOMPSON_SAMPLING', config: { reward: 'numeric', ...config } }),
      treatments,
      undefined,
    );
  const bounded = infer({ valueRange: [0, 10] });
  t.equal(bounded.methods.interval.kind, 'exact');
  t.match(bounded.winner, { isDeclared: true, leaderId: 'a' });
  const free = infer({});
  t.equal(free.methods.interval.kind, 'asymptotic');
  t.equal(free.winner.method.kind, 'asymptotic');
  const left = infer({ valueRange: [0, 5] });
  t.match(left.methods.interval, { kind: 'asymptotic', name: /outside valueRange/ });
  for (const { treatments: lines } of [bounded, free, left]) {
    const { lower, upper } = lines[0]!.interval!;
    t.ok(lower! < 5 && upper! > 5 && upper! - lower! < 2);
    t.ok(lines[0]!.probabilityBest! > 0.999);
  }
  // Intervals that lie apart name a winner from the thousandth trial of each on, not at 900.
  const early = [
    measured('a', [day('a', 4_000, 20_000, 164_000)]),
    measured('b', [day('b', 900, 900, 1_000)]),
  ];
  const numeric = resolveOptions({ algorithm: 'UCB1', config: { reward: 'numeric' } });
  t.match(inferResults(numeric, early, undefined).winner, {
    isDeclared: false,
    leaderId: 'a',
    statement: /take 1,000 trials and 30 rewards/,
  });
  const later = [
    measured('a', [day('a', 4_000, 20_000, 164_000)]),
    measured('b', [day('b', 1_000, 1_000, 1_100)]),
  ];
  t.match(inferResults(numeric, later, undefined).winner, { isDeclared: true, leaderId: 'a' });
  const single = [measured('a', [day('a', 1, 3, 9)]), measured('b', [])];
  const options = resolveOptions({ algorithm: 'UCB1', config: { reward: 'numeric' } });
  t.same(inferResults(options, single, undefined).treatments[0]?.interval, { lower: null, upper: null });
  t.end();
});

t.test('contextual: means by SNIPS, never a winner, P(best) by the model', (t) => {
  const day = (id: string, ipw: number, ipwReward: number): TreatmentDay => ({
    ...binaryDay(id, '2026-01-01', 1_000, 900),
    propensity_trials: 1_000,
    ipw_sum: ipw,
    ipw_reward_sum: ipwReward,
  });
  const treatments = [
    measured('a', [day('a', 2_000, 500)]),
    measured('b', [day('b', 1_000, 100)]),
    measured('c', []),
  ];
  const options = resolveOptions({ algorithm: 'LINEAR_CONTEXTUAL', config: {} });
  const { treatments: lines, winner } = inferResults(options, treatments, [0.7, 0.2, 0.1]);
  t.same(
    lines.map((line) => line.rewardMean),
    [0.25, 0.1, null],
  );
  t.same(
    lines.map((line) => line.probabilityBest),
    [0.7, 0.2, 0.1],
  );
  t.same(
    lines.map((line) => line.expectedLoss),
    [0, 0.15, null],
  );
  t.match(winner, { isDeclared: false, method: { kind: 'none' } });
  t.end();
});

t.test('contextual with a floor: the randomisation decides, whatever the sums say', (t) => {
  const options = resolveOptions({ algorithm: 'LINEAR_CONTEXTUAL', config: { explorationFloor: 0.4 } });
  const days = (id: string) => [binaryDay(id, '2026-01-01', 1_000, 500)];
  const treatments = [measured('a', days('a')), measured('b', days('b'))];
  // Both drawn half the time; a is rewarded in 3 of 4 rewarded trials.
  const rewarded = Array.from({ length: 400 }, (_, k) => ({
    treatmentId: k % 4 === 0 ? 'b' : 'a',
    propensity: 0.5,
    reward: 1,
  }));
  const infer = (log: Parameters<typeof inferResults>[3]) =>
    inferResults(options, treatments, undefined, log).winner;
  t.match(infer({ rewarded, weights: [1, 1] }), {
    isDeclared: true,
    leaderId: 'a',
    method: { kind: 'exact' },
  });
  const even = rewarded.map((trial, k) => ({ ...trial, treatmentId: k % 2 === 0 ? 'a' : 'b' }));
  t.match(infer({ rewarded: even, weights: [1, 1] }), { isDeclared: false });
  t.match(infer({ rewarded: undefined, weights: [1, 1] }), { isDeclared: false, statement: /longer than/ });
  const below = rewarded.map((trial) => ({ ...trial, propensity: 0.1 }));
  t.match(infer({ rewarded: below, weights: [1, 1] }), {
    isDeclared: false,
    statement: /outside its declared bounds/,
  });
  t.match(infer({ rewarded: [], weights: [1, 1] }), { isDeclared: false, leaderId: null, logEvidence: 0 });
  const free = resolveOptions({ algorithm: 'LINEAR_CONTEXTUAL', config: {} });
  const noFloor = inferResults(free, treatments, undefined, { rewarded, weights: [1, 1] }).winner;
  t.match(noFloor, { isDeclared: false, statement: /configure explorationFloor/ });
  t.end();
});

t.test('results thread', async (t) => {
  const now = new Date();
  const experiment = {
    company_id: 'cmp_1',
    id: 'exp_1',
    partition: 0,
    name: 'E',
    description: null,
    algorithm: 'UCB1',
    algorithm_config: {},
    content_type: 'PLAIN_TEXT',
    status: 'draft',
    assignment_ttl: 0,
    end_at: null,
    activated_at: null,
    created_at: now,
    updated_at: now,
  } as const;
  const input = {
    experiment,
    treatments: [],
    days: [],
    state: undefined,
    start: undefined,
    openOnFirstDay: new Map(),
    rewarded: undefined,
    nowMs: 0,
  };

  await t.test("a failure is that request's alone", async (t) => {
    const thread = createResultsThread();
    t.teardown(() => thread.close());
    const broken = { ...input, experiment: { ...experiment, algorithm: 'NONE' as 'UCB1' } };
    const [first, second] = await Promise.allSettled([thread.build(broken), thread.build(input)]);
    t.match(first, { status: 'rejected', reason: { message: /could not be computed.*NONE/s } });
    t.match(second, { status: 'fulfilled', value: { experimentId: 'exp_1', treatments: [] } });
  });

  await t.test('past its time a request is 503, and so is every request after close', async (t) => {
    const thread = createResultsThread(0);
    await t.rejects(thread.build(input), { code: 'OVERLOADED' });
    await thread.close();
    await t.rejects(thread.build(input), { code: 'OVERLOADED' });
  });

  await t.test('a full queue refuses the next one at once', async (t) => {
    const thread = createResultsThread();
    const queued = Array.from({ length: limits.resultsQueueMax }, () => thread.build(input));
    await t.rejects(thread.build(input), { code: 'OVERLOADED' });
    t.equal((await Promise.all(queued)).length, limits.resultsQueueMax);
    await thread.close();
  });
});

t.test('results route', async (t) => {
  const harness = await createHarness(t, await createTestDatabase(t));
  const { db } = harness;
  const tenant = await harness.tenant();
  const read = async (id: string): Promise<Results> => {
    const { status, body } = await tenant.call('GET', `/experiments/${id}/results`);
    t.equal(status, 200);
    return body.data;
  };

  await t.test('sums of all days, state version and age, shares of the serving state', async (t) => {
    const { id, treatments } = await tenant.activeExperiment();
    const [a, b] = treatments.map((treatment) => treatment.id) as [string, string];
    const learner = createLearner({ algorithm: 'THOMPSON_SAMPLING', config: {} });
    const arms = [
      { weight: 1, isLive: true, isOriginal: true },
      { weight: 1, isLive: true, isOriginal: true },
    ];
    const trial = { kind: 'trial', context: undefined, propensity: 0.5, predictions: undefined } as const;
    learner.fold(Array.from({ length: 30 }, (_, k) => ({ ...trial, armIndex: k % 2 })));
    const own = { company_id: tenant.companyId, experiment_id: id };
    const updatedAt = new Date(harness.deps.nowMs() - 5_000);
    await db
      .insertInto('experiment_states')
      .values({
        ...own,
        version: 3,
        through_batch: 1,
        n_trials: 30,
        state: learner.encode(),
        serving: learner.encodeServing(arms, 1),
        updated_at: updatedAt,
      })
      .execute();
    for (const day of [
      binaryDay(a, '2026-01-01', 10, 2),
      binaryDay(a, '2026-01-02', 5, 1),
      binaryDay(b, '2026-01-02', 15, 0),
    ]) {
      await db
        .insertInto('treatment_days')
        .values({ ...day, ...own, late: 1 })
        .execute();
    }
    const results = await read(id);
    t.match(results, {
      experimentId: id,
      status: 'active',
      reward: 'binary',
      attributionWindow: 0,
      level: 0.95,
    });
    t.match(results.treatments, [
      {
        id: a,
        trials: 15,
        conversions: 3,
        matured: 15,
        pending: 0,
        late: 2,
        rewardSum: 3,
        rewardMean: 0.2,
        isControl: true,
      },
      { id: b, trials: 15, conversions: 0, matured: 15, pending: 0, late: 1, rewardSum: 0, rewardMean: 0 },
    ]);
    t.match(results.totals, {
      trials: 30,
      conversions: 3,
      matured: 30,
      pending: 0,
      late: 3,
      rewardSum: 3,
      rewardMean: 0.1,
    });
    t.match(results.state, { version: 3, trials: 30, updatedAt: updatedAt.toISOString() });
    t.ok(results.state.ageMs! >= 5_000);
    const shares = results.treatments.map((line: TreatmentResult) => line.currentProbability);
    t.ok(Math.abs(shares[0]! + shares[1]! - 1) < 1e-12);
  });

  await t.test('before anything was learned: version 0, shares by weight, nothing claimed', async (t) => {
    const weighted = [
      { name: 'A', config: { content: 'a' }, weight: 3 },
      { name: 'B', config: { content: 'b' } },
    ];
    for (const algorithm of [
      'EPSILON_GREEDY',
      'UCB1',
      'THOMPSON_SAMPLING',
      'LINEAR_CONTEXTUAL',
      'NEURAL_CONTEXTUAL',
    ] as const) {
      const results = await read((await tenant.activeExperiment({ algorithm, treatments: weighted })).id);
      t.same(results.state, { version: 0, trials: 0, updatedAt: null, ageMs: null });
      t.same(
        results.treatments.map((line) => line.currentProbability),
        [0.75, 0.25],
        algorithm,
      );
      t.match(results.winner, { isDeclared: false, leaderId: null });
    }
    const empty = await read((await tenant.experiment()).id);
    t.same(empty.treatments, []);
    t.match(empty.totals, { trials: 0, rewardMean: null });
  });

  await t.test('a removed treatment is shown while it has history, with share 0', async (t) => {
    const { id, treatments } = await tenant.activeExperiment();
    const [a, b] = treatments.map((treatment) => treatment.id) as [string, string];
    const own = { company_id: tenant.companyId, experiment_id: id };
    const unused = await tenant.call('POST', `/experiments/${id}/treatments`, {
      name: 'C',
      config: { content: 'c' },
    });
    await db
      .insertInto('treatment_days')
      .values({ ...binaryDay(a, '2026-01-01', 10, 2), ...own })
      .execute();
    for (const gone of [a, unused.body.data.id])
      await tenant.call('DELETE', `/experiments/${id}/treatments/${gone}`);
    const results = await read(id);
    t.match(results.treatments, [
      { id: a, isRemoved: true, trials: 10, currentProbability: 0, probabilityBest: null },
      { id: b, isRemoved: false, currentProbability: 1, probabilityBest: 1 },
    ]);
    t.equal(results.treatments.length, 2);
    t.equal(results.totals.trials, 10);
  });

  await t.test('a contextual experiment with a floor is judged by its rewarded draws', async (t) => {
    const algorithm = 'LINEAR_CONTEXTUAL';
    const made = await tenant.activeExperiment({ algorithm, algorithmConfig: { explorationFloor: 0.4 } });
    const [a, b] = made.treatments.map((treatment) => treatment.id) as [string, string];
    const own = { company_id: tenant.companyId, experiment_id: made.id };
    const reward = async (treatmentId: string, source: 'draw' | 'client') => {
      const of = { companyId: tenant.companyId, experimentId: made.id, treatmentId, userId: 'u' };
      const nonce = await insertAssignment(db, of, { source });
      await db
        .insertInto('assignment_outcomes')
        .values({ ...own, nonce, trial_number: null, conversion_reward: 1, funnel_reward: null, reward: 1 })
        .execute();
    };
    for (let k = 0; k < 60; k += 1) await reward(a, 'draw');
    // Self-reported trials have no propensity and do not enter.
    for (let k = 0; k < 60; k += 1) await reward(b, 'client');
    const { winner } = await read(made.id);
    t.match(winner, { isDeclared: true, leaderId: a });
  });

  await t.test('pending trials are those whose window is open', async (t) => {
    const { id, treatments } = await tenant.activeExperiment({
      algorithmConfig: { attributionWindow: 3_600 },
    });
    const treatmentId = treatments[0]!.id;
    const nowMs = harness.deps.nowMs();
    const openAfterMs = nowMs - 3_600_000;
    const dayOf = (ms: number) => new Date(ms).toISOString().slice(0, 10);
    const of = { companyId: tenant.companyId, experimentId: id, treatmentId, userId: 'u' };
    const counts = new Map<string, number>();
    // Two before the window, three in it.
    for (const ms of [
      openAfterMs - 120_000,
      openAfterMs - 60_000,
      openAfterMs + 600_000,
      nowMs - 60_000,
      nowMs - 1,
    ]) {
      await insertAssignment(db, of, { assignedAt: new Date(ms), recordedAt: new Date(ms) });
      counts.set(dayOf(ms), (counts.get(dayOf(ms)) ?? 0) + 1);
    }
    const own = { company_id: tenant.companyId, experiment_id: id };
    for (const [day, n] of counts) {
      await db
        .insertInto('treatment_days')
        .values({ ...binaryDay(treatmentId, day, n, 0), ...own })
        .execute();
    }
    t.match((await read(id)).treatments[0], { trials: 5, matured: 2, pending: 3 });
  });

  t.match(await tenant.call('GET', '/experiments/exp_unknown/results'), {
    status: 404,
    body: { code: 'EXPERIMENT_NOT_FOUND' },
  });
});
