import { readFile } from 'node:fs/promises';
import t from 'tap';
import { shrinkageStrength, shrunkClickRates } from '../click-rates.ts';
import { formatTable } from '../format-table.ts';
import { type Extract, readHeadlineTests } from '../headline-tests.ts';
import { makeExtract } from '../make-extract.ts';
import { createProgress } from '../progress.ts';
import { sessionHeader } from '../session-header.ts';
import { summarise } from '../summary.ts';

t.test('shrunkClickRates pulls each rate towards the mean of its test', async (t) => {
  const headlines = [
    { impressions: 100, clicks: 10 },
    { impressions: 300, clicks: 10 },
  ];
  // mean 20/400 = .05; (10 + 100 * .05) / 200 = .075 and (10 + 5) / 400 = .0375
  t.same(shrunkClickRates(headlines, 100), [0.075, 0.0375]);
  t.same(shrunkClickRates(headlines, 0), [0.1, 10 / 300], 'strength 0 leaves them');
});

t.test('shrinkageStrength', async (t) => {
  const equal = [
    { impressions: 1_000, clicks: 50 },
    { impressions: 1_000, clicks: 50 },
  ];
  t.throws(() => shrinkageStrength([equal]), /no more than chance over 1 tests/);
  const apart = [
    { impressions: 1_000, clicks: 40 },
    { impressions: 1_000, clicks: 60 },
  ];
  // m = .05, Q = 2 * 1000 * .01^2 / (.05 * .95) = 4.2105; rho = (4.2105 - 1) / (2000 - 1000); k = 1 / rho - 1
  t.equal(shrinkageStrength([apart]).toFixed(6), (1_000 / (0.2 / 0.0475 - 1) - 1).toFixed(6));
});

t.test('summarise counts what was shown by the true rates', async (t) => {
  const tests = [
    { id: 'a', week: '201301', headlines: ['x', 'y'], clickRates: [0.01, 0.03] },
    { id: 'b', week: '201302', headlines: ['x', 'y', 'z'], clickRates: [0.02, 0.02, 0.05] },
  ];
  const tallies = [
    { shown: [25, 75], clicks: 2 },
    { shown: [100, 100, 100], clicks: 9 },
  ];
  const { tests: summaries, total, clicksGained, beatsEvenSplit } = summarise(tests, tallies);
  const round = (value: number) => Number(value.toFixed(9));
  // a: shown (25 * .01 + 75 * .03) / 100 = .025, even .02, best .03; lost .5 of 1.
  t.same(
    [summaries[0]?.shownRate, summaries[0]?.bestShare, summaries[0]?.visitors].map((x) => round(x!)),
    [0.025, 0.75, 100],
  );
  t.same(
    [summaries[0]?.regret, summaries[0]?.evenRegret, summaries[0]?.regretOfEven].map((x) => round(x!)),
    [0.5, 1, 0.5],
  );
  // b: an even split: 300 * (.05 - .03) = 6 lost either way.
  t.same(
    [summaries[1]?.regret, summaries[1]?.evenRegret, summaries[1]?.regretOfEven].map((x) => round(x!)),
    [6, 6, 1],
  );
  t.same([total.visitors, total.clicks, round(total.regret), round(total.evenRegret)], [400, 11, 6.5, 7]);
  t.equal(round(total.shownRate), round((2.5 + 9) / 400));
  t.equal(round(clicksGained), 0.5);
  t.equal(beatsEvenSplit, true);

  const evenly = summarise([tests[0]!], [{ shown: [50, 50], clicks: 1 }]);
  t.equal(evenly.beatsEvenSplit, false, 'level is not better');
  t.match(
    summarise(tests, [
      { shown: [0, 0], clicks: 0 },
      { shown: [0, 0, 0], clicks: 0 },
    ]),
    {
      total: { visitors: 0, shownRate: 0, regretOfEven: 0 },
      beatsEvenSplit: false,
    },
  );
});

t.test('the table has a line per test and one for all', async (t) => {
  const tests = [{ id: 'a', week: '201301', headlines: ['x', 'y'], clickRates: [0.01, 0.03] }];
  const lines = formatTable(summarise(tests, [{ shown: [250, 750], clicks: 20 }])).split('\n');
  t.match(lines[2], /1 +2 +1,000 +2\.500% +2\.000% +3\.000% +75% +5\.0 +10\.0 +50%/);
  t.match(lines.at(-1), /^ all +2 +1,000/);
  t.equal(new Set(lines.map((line) => line.length)).size, 1, 'columns line up');
});

t.test('the extract: 16 real tests, licence and citation', async (t) => {
  const file = new URL('../data/headlines.json', import.meta.url);
  const { licence, citation } = JSON.parse(await readFile(file, 'utf8')) as Extract;
  const tests = await readHeadlineTests(file);
  t.equal(tests.length, 16);
  t.match(licence, /CC BY 4\.0/);
  t.match(citation, /Matias.*2021.*Scientific Data 8, 195/);
  for (const { headlines, clickRates, id } of tests) {
    t.ok(headlines.length >= 3 && new Set(headlines).size === headlines.length, id);
    t.ok(
      clickRates.every((rate) => rate > 0 && rate < 0.1),
      `${id}: ${clickRates}`,
    );
  }
});

t.test('makeExtract reads quoted fields and leaves the imbalance period out', async (t) => {
  const header = 'test_id,test_week,imbalance_period,arm,headline,impressions,clicks,winner';
  const row = (id: number, arm: number, headline: string, clicks: number, imbalance = 'False') =>
    `t${id},201301,${imbalance},${arm},${headline},2000,${clicks},False`;
  const rows = Array.from({ length: 16 }, (_, id) => [
    row(id, 0, '"One, ""two"""', 10),
    row(id, 1, '"a\nbreak"', 200),
    row(id, 2, 'plain', 300),
  ]).flat();
  const few = [row(90, 0, 'x', 1), row(90, 1, 'y', 2)];
  const imbalanced = [0, 1, 2].map((arm) => row(91, arm, `h${arm}`, arm, 'True'));
  const extract = makeExtract([header, ...rows, ...few, ...imbalanced, ''].join('\r\n'));
  t.equal(extract.tests.length, 16);
  t.same(extract.tests[0]?.headlines[0], { text: 'One, "two"', impressions: 2000, clicks: 10 });
  t.equal(extract.tests[0]?.headlines[1]?.text, 'a\nbreak');
  t.notOk(extract.tests.some(({ id }) => id === 't90' || id === 't91'));
  t.match(extract.selection, /from the 16 of 17 with at least 3/);
  t.throws(() => makeExtract('a,b\n1,2\n'), /no column test_id; it has a, b/);
});

t.test('sessionHeader tells e-mails, cookies and tokens apart', async (t) => {
  t.same(sessionHeader('admin@example.com'), { name: 'x-user-email', value: 'admin@example.com' });
  t.same(sessionHeader('authjs.session-token=eyJ.a=='), {
    name: 'cookie',
    value: 'authjs.session-token=eyJ.a==',
  });
  t.same(sessionHeader('eyJhbGciOiJI.eyJ.x-y_z='), {
    name: 'authorization',
    value: 'Bearer eyJhbGciOiJI.eyJ.x-y_z=',
  });
});

t.test('progress: a line every 5 s and one at the end; on a terminal one line rewritten', async (t) => {
  let nowMs = 0;
  const written: string[] = [];
  const stream = { write: (text: string) => written.push(text) > 0 };
  const asStream = (isTTY: boolean) =>
    ({ ...stream, isTTY }) as unknown as NodeJS.WritableStream & { isTTY: boolean };
  const lines = createProgress(asStream(false), 4, () => nowMs);
  for (nowMs of [1_000, 2_000, 7_000, 8_000]) lines.step();
  lines.close();
  t.same(written, ['3 of 4 visitors · 1/s · 2 s left\n', '4 of 4 visitors · 1/s · 0 s left\n']);
  written.length = 0;
  const line = createProgress(asStream(true), 2, () => nowMs);
  for (nowMs of [9_000, 10_000]) line.step();
  line.close();
  t.ok(written.slice(0, -1).every((text) => text.startsWith('\r')));
  t.equal(written.at(-1), '\n');
});
