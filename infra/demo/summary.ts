import type { HeadlineTest } from './headline-tests.ts';
import type { Tally } from './visit.ts';

/** How a test went, by the true click rates: what a visitor clicked by chance plays no part in it. */
export interface TestSummary {
  readonly id: string;
  readonly headlines: number;
  readonly visitors: number;
  readonly clicks: number;
  /** Mean true click rate of what was shown. */
  readonly shownRate: number;
  /** Mean true click rate had every headline been shown equally often. */
  readonly evenRate: number;
  readonly bestRate: number;
  /** Share of the visitors who were shown the best headline. */
  readonly bestShare: number;
  /** Expected clicks lost against showing the best headline only. */
  readonly regret: number;
  readonly evenRegret: number;
  /** regret / evenRegret: 1 = no better than an even split, 0 = the best headline from the first visitor on. */
  readonly regretOfEven: number;
}

export interface Summary {
  readonly tests: readonly TestSummary[];
  readonly total: TestSummary;
  /** Expected clicks gained over an even split; > 0 is what the demo stands for. */
  readonly clicksGained: number;
  readonly beatsEvenSplit: boolean;
}

export function summarise(tests: readonly HeadlineTest[], tallies: readonly Tally[]): Summary {
  const summaries = tests.map((test, index) => summariseTest(test, tallies[index]!));
  const total = addUp(summaries);
  const clicksGained = total.evenRegret - total.regret;
  return { tests: summaries, total, clicksGained, beatsEvenSplit: clicksGained > 0 };
}

function summariseTest({ id, clickRates }: HeadlineTest, { shown, clicks }: Tally): TestSummary {
  const visitors = sum(shown);
  const bestRate = Math.max(...clickRates);
  return withRegret({
    id,
    headlines: clickRates.length,
    visitors,
    clicks,
    shownRate: visitors > 0 ? sum(shown.map((n, k) => n * clickRates[k]!)) / visitors : 0,
    evenRate: sum(clickRates) / clickRates.length,
    bestRate,
    bestShare: visitors > 0 ? shown[clickRates.indexOf(bestRate)]! / visitors : 0,
  });
}

/** Rates of all tests together, each weighted by its visitors. */
function addUp(tests: readonly TestSummary[]): TestSummary {
  const visitors = sum(tests.map((test) => test.visitors));
  const mean = (rate: 'shownRate' | 'evenRate' | 'bestRate' | 'bestShare') =>
    visitors > 0 ? sum(tests.map((test) => test.visitors * test[rate])) / visitors : 0;
  return withRegret({
    id: 'all',
    headlines: sum(tests.map((test) => test.headlines)),
    visitors,
    clicks: sum(tests.map((test) => test.clicks)),
    shownRate: mean('shownRate'),
    evenRate: mean('evenRate'),
    bestRate: mean('bestRate'),
    bestShare: mean('bestShare'),
  });
}

function withRegret(rates: Omit<TestSummary, 'regret' | 'evenRegret' | 'regretOfEven'>): TestSummary {
  const regret = rates.visitors * (rates.bestRate - rates.shownRate);
  const evenRegret = rates.visitors * (rates.bestRate - rates.evenRate);
  return { ...rates, regret, evenRegret, regretOfEven: evenRegret > 0 ? regret / evenRegret : 0 };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
