/**
 * Makes data/headlines.json from a file of the Upworthy Research Archive (CSV, gzipped or not, with the columns test_id,
 * test_week, imbalance_period, arm, headline, impressions, clicks):
 *
 *   node infra/demo/make-extract.ts archive.csv.gz > infra/demo/data/headlines.json
 */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { createRng } from '@bandit/core';
import { shrinkageStrength } from './click-rates.ts';
import type { Extract, RecordedTest } from './headline-tests.ts';

const nTests = 16;
const seed = 2021;
const headlinesMin = 3;
const impressionsMin = 2_000;

/**
 * Takes `nTests` tests at random from those with at least `headlinesMin` headlines, all different, each shown at least
 * `impressionsMin` times: neither easy nor hard ones are picked out. Rows of the archive's imbalance period are left
 * out; the shrinkage strength comes from all tests that remain.
 */
export function makeExtract(csv: string): Extract {
  const tests = groupTests(csv);
  const eligible = tests.filter(({ headlines }) => isEligible(headlines)).sort(byId);
  return {
    source: 'Upworthy Research Archive, https://osf.io/jd64p/',
    citation:
      'Matias, J.N., Munger, K., Le Quere, M.A., Ebersole, C. (2021). The Upworthy Research Archive, a time series ' +
      'of 32,487 experiments in U.S. media. Scientific Data 8, 195. https://doi.org/10.1038/s41597-021-00934-7',
    licence: 'CC BY 4.0, https://creativecommons.org/licenses/by/4.0/',
    selection:
      `${nTests} tests drawn at random (seed ${seed}) from the ${eligible.length} of ${tests.length} with at least ` +
      `${headlinesMin} different headlines, each shown at least ${impressionsMin} times; rows of the imbalance ` +
      'period left out. Other columns are not kept.',
    shrinkageStrength: Math.round(shrinkageStrength(tests.map(({ headlines }) => headlines))),
    tests: drawTests(eligible),
  };
}

const byId = (a: RecordedTest, b: RecordedTest): number => (a.id < b.id ? -1 : 1);

function isEligible(headlines: RecordedTest['headlines']): boolean {
  const nDifferent = new Set(headlines.map(({ text }) => text)).size;
  return (
    headlines.length >= headlinesMin &&
    nDifferent === headlines.length &&
    headlines.every(({ impressions }) => impressions >= impressionsMin)
  );
}

function drawTests(eligible: readonly RecordedTest[]): RecordedTest[] {
  if (eligible.length < nTests) throw new Error(`${nTests} tests needed, ${eligible.length} found`);
  const rng = createRng(seed);
  const left = [...eligible];
  return Array.from({ length: nTests }, () => left.splice(Math.floor(rng.uniform() * left.length), 1)[0]!);
}

function groupTests(csv: string): RecordedTest[] {
  const [header, ...rows] = readCsv(csv);
  const column = (name: string): number => {
    const index = header?.indexOf(name) ?? -1;
    if (index < 0) throw new Error(`the file has no column ${name}; it has ${header?.join(', ')}`);
    return index;
  };
  const [id, week, imbalance] = [column('test_id'), column('test_week'), column('imbalance_period')];
  const [text, impressions, clicks] = [column('headline'), column('impressions'), column('clicks')];
  const tests = new Map<string, RecordedTest>();
  for (const row of rows) {
    if (row[imbalance] !== 'False') continue;
    const { headlines } = tests.get(row[id]!) ?? { headlines: [] };
    const headline = { text: row[text]!, impressions: Number(row[impressions]), clicks: Number(row[clicks]) };
    tests.set(row[id]!, { id: row[id]!, week: row[week]!, headlines: [...headlines, headline] });
  }
  return [...tests.values()];
}

/** RFC 4180: quoted fields may hold commas, line ends and doubled quotes. */
function readCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  const field = /("(?:[^"]|"")*"|[^,\r\n]*)(,|\r?\n|$)/gy;
  for (let match = field.exec(text); match && field.lastIndex <= text.length; match = field.exec(text)) {
    const raw = match[1]!;
    row.push(raw.startsWith('"') ? raw.slice(1, -1).replaceAll('""', '"') : raw);
    if (match[2] === ',') continue;
    if (row.length > 1) rows.push(row);
    row = [];
    if (match[2] === '') break;
  }
  return rows;
}

if (import.meta.main) {
  const file = process.argv[2];
  if (!file) throw new Error('usage: node infra/demo/make-extract.ts <archive.csv or archive.csv.gz>');
  const bytes = readFileSync(file);
  const csv = (file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8');
  process.stdout.write(`${JSON.stringify(makeExtract(csv), null, 2)}\n`);
}
