import type { Summary, TestSummary } from './summary.ts';

/** The closing table, one line per test and one for all, every line at most 110 columns. */
export function formatTable({ tests, total }: Summary): string {
  const rows = [
    heading,
    ...tests.map((test, index) => [`${index + 1}`, ...cells(test)]),
    ['all', ...cells(total)],
  ];
  const widths = heading.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const lines = rows.map((row) => row.map((cell, column) => cell.padStart(widths[column]!)).join('  '));
  const rule = '-'.repeat(lines[0]!.length);
  return [lines[0], rule, ...lines.slice(1, -1), rule, lines.at(-1)].join('\n');
}

const heading = [
  'test',
  'headlines',
  'visitors',
  'shown',
  'even split',
  'best',
  'share of best',
  'clicks lost',
  'by even split',
  'regret',
];

function cells(test: TestSummary): string[] {
  return [
    `${test.headlines}`,
    test.visitors.toLocaleString('en-US'),
    percent(test.shownRate, 3),
    percent(test.evenRate, 3),
    percent(test.bestRate, 3),
    percent(test.bestShare, 0),
    test.regret.toFixed(1),
    test.evenRegret.toFixed(1),
    percent(test.regretOfEven, 0),
  ];
}

function percent(share: number, digits: number): string {
  return `${(100 * share).toFixed(digits)}%`;
}
