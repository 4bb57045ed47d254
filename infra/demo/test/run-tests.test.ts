import t, { type Test } from 'tap';
import { Agent } from 'undici';
import { runTests } from '../run-tests.ts';
import { answerJson, type PlatformDouble, startPlatformDouble } from './platform-double.ts';

const tests = [
  { id: 'a', week: '201301', headlines: ['a one', 'a two'], clickRates: [0.2, 0.6] },
  { id: 'b', week: '201302', headlines: ['b one', 'b two', 'b three'], clickRates: [0.5, 0.1, 0.3] },
];

async function setUp(t: Test) {
  const platform = await startPlatformDouble(t);
  const dispatcher = new Agent({ connections: 8 });
  t.teardown(() => dispatcher.destroy());
  const waits: number[] = [];
  const stop = new AbortController();
  let nSteps = 0;
  const run = (options: { visitors: number; seed: number; concurrency: number }) =>
    runTests({
      access: {
        url: platform.url,
        apiKey: 'bk_key',
        session: { name: 'x-user-email', value: 'a@example.com' },
      },
      dispatcher,
      tests,
      options,
      runId: 'r1',
      signal: stop.signal,
      wait: async (milliseconds) => void waits.push(milliseconds),
      nowMs: () => 0,
      progress: {
        step() {
          nSteps += 1;
        },
        close: () => undefined,
      },
    });
  return { platform, run, waits, stop, nSteps: () => nSteps };
}

/** Clicks per experiment, as the platform was told. */
function clicksOf({ conversions }: PlatformDouble) {
  return conversions.filter((id) => id.startsWith('asgn_exp_0')).sort();
}

t.test('every visitor asks for a headline, every click is counted', async (t) => {
  const { platform, run, nSteps } = await setUp(t);
  const second = (k: number) => k % 2;
  platform.choose = (treatments, userId) => treatments[second(Number(userId.split('-').at(-1)))]!;
  const result = await run({ visitors: 200, seed: 1, concurrency: 16 });

  t.same(
    [...platform.experiments.values()].map(({ status }) => status),
    ['ACTIVE', 'ACTIVE'],
  );
  t.same(
    [...platform.experiments.values()][1]?.treatments.map(({ config }) => config.content),
    tests[1]!.headlines,
  );
  t.equal(platform.assignments.size, 400);
  t.equal(nSteps(), 400);
  t.equal(new Set(platform.conversions).size, platform.conversions.length);
  t.equal(result.clicksCounted, platform.conversions.length);
  t.equal(result.summary.total.clicks, platform.conversions.length);
  t.same(result.learned, { trials: 400, conversions: platform.conversions.length });
  t.same(
    result.summary.tests.map(({ shownRate }) => Number(shownRate.toFixed(9))),
    [0.4, 0.3],
    'half each of the first two',
  );
  t.same(
    result.summary.tests.map(({ visitors }) => visitors),
    [200, 200],
  );
  // Standard error of 200 visitors at rate .4: sqrt(200 * .24) = 6.9.
  const clicks = result.summary.tests[0]!.clicks;
  t.ok(Math.abs(clicks - 80) < 4 * 6.9, `seed 1: about 80 of 200 click, got ${clicks}`);
  t.ok(platform.headers.has('/experiments x-user-email: a@example.com'));
  t.ok(platform.headers.has('/assignments authorization: Bearer bk_key'));
  t.ok(platform.headers.has('/events/batch authorization: Bearer bk_key'));
});

t.test('who clicks depends on the seed alone', async (t) => {
  const clicks = async (seed: number, concurrency: number) => {
    const { platform, run } = await setUp(t);
    await run({ visitors: 100, seed, concurrency });
    return clicksOf(platform);
  };
  const once = await clicks(7, 1);
  t.same(await clicks(7, 32), once, 'not on how many come at once');
  t.notSame(await clicks(8, 1), once);
});

t.test('a busy platform is asked again, after the wait it named', async (t) => {
  const { platform, run, waits } = await setUp(t);
  platform.intercept = (path, response, nth) => {
    const isBusy = (path === '/assignments' && nth === 3) || (path === '/events/batch' && nth === 1);
    if (isBusy) answerJson(response, 503, { success: false, error: 'busy' }, { 'retry-after': '2' });
    return isBusy;
  };
  const result = await run({ visitors: 50, seed: 1, concurrency: 4 });
  t.same(waits, [2_000, 2_000]);
  t.equal(platform.assignments.size, 100);
  t.equal(result.clicksCounted, result.summary.total.clicks);
});

t.test('an experiment that is not active everywhere yet is asked for again', async (t) => {
  const { platform, run, waits } = await setUp(t);
  platform.intercept = (path, response, nth) => {
    const isEarly = path === '/assignments' && nth <= 2;
    if (isEarly) answerJson(response, 400, { success: false, error: 'draft', code: 'EXPERIMENT_NOT_ACTIVE' });
    return isEarly;
  };
  const { summary } = await run({ visitors: 10, seed: 1, concurrency: 1 });
  t.equal(summary.total.visitors, 20);
  t.same(waits, [400, 400]);
});

t.test('results that lag behind are read again, for a while', async (t) => {
  for (const [nthComplete, nReads] of [
    [3, 3],
    [1_000, 25],
  ] as const) {
    const { platform, run, waits } = await setUp(t);
    let nLags = 0;
    platform.intercept = (path, response) => {
      const isBehind = path === '/experiments/:id/results' && ++nLags < nthComplete;
      if (isBehind)
        answerJson(response, 200, { success: true, data: { treatments: [{ trials: 1, conversions: 0 }] } });
      return isBehind;
    };
    const { learned } = await run({ visitors: 10, seed: 1, concurrency: 2 });
    t.same(
      learned,
      nthComplete === 3
        ? { trials: 20, conversions: platform.conversions.length }
        : { trials: 2, conversions: 0 },
    );
    t.equal(waits.length, nthComplete === 3 ? 1 : nReads - 1);
  }
});

t.test('a platform that stays busy, or fails, ends the run with what it said', async (t) => {
  for (const [path, status] of [
    ['/assignments', 503],
    ['/assignments', 500],
    ['/events/batch', 401],
    ['/experiments', 403],
  ] as const) {
    const { platform, run } = await setUp(t);
    platform.intercept = (asked, response) => {
      if (asked === path) answerJson(response, status, { success: false, error: 'the reason' });
      return asked === path;
    };
    await t.rejects(run({ visitors: 50, seed: 1, concurrency: 4 }), {
      name: 'PlatformError',
      message: `POST ${path} answered ${status}: the reason`,
    });
  }
});

t.test('items of a batch: a repeat is counted, another refusal ends the run', async (t) => {
  for (const status of [409, 404]) {
    const { platform, run } = await setUp(t);
    platform.intercept = (path, response) => {
      if (path !== '/events/batch') return false;
      const errors = [{ index: 0, status, code: 'X', error: 'not this one' }];
      answerJson(response, 207, { success: true, data: { errors } });
      return true;
    };
    const result = run({ visitors: 50, seed: 1, concurrency: 4 });
    if (status === 409) t.equal((await result).clicksCounted, (await result).summary.total.clicks);
    else await t.rejects(result, { message: 'POST /events/batch answered 404: not this one' });
  }
});

t.test('stopping ends the visits and still sums up', async (t) => {
  const { platform, run, stop } = await setUp(t);
  platform.choose = (treatments) => {
    if (platform.assignments.size === 20) stop.abort(new Error('stopped'));
    return treatments[0]!;
  };
  const { summary } = await run({ visitors: 1_000, seed: 1, concurrency: 4 });
  t.ok(summary.total.visitors > 0 && summary.total.visitors < 30, `${summary.total.visitors} visitors`);
});
