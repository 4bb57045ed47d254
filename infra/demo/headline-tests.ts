import { readFile } from 'node:fs/promises';
import { shrunkClickRates } from './click-rates.ts';

/** The committed extract (data/headlines.json), made by make-extract.ts. */
export interface Extract {
  readonly source: string;
  readonly citation: string;
  readonly licence: string;
  /** How the tests were chosen from the archive. */
  readonly selection: string;
  /** k of `shrunkClickRates`, found over every test of the archive file that the extract was made from. */
  readonly shrinkageStrength: number;
  readonly tests: readonly RecordedTest[];
}

/** One test as the archive recorded it. */
export interface RecordedTest {
  readonly id: string;
  /** ISO year and week, as the archive writes it: 201312. */
  readonly week: string;
  /** shape [K], K >= 2 */
  readonly headlines: readonly {
    readonly text: string;
    readonly impressions: number;
    readonly clicks: number;
  }[];
}

/** A real headline test with the rates that its simulated visitors click with. */
export interface HeadlineTest {
  readonly id: string;
  readonly week: string;
  /** shape [K] */
  readonly headlines: readonly string[];
  /** shape [K], each in (0, 1) */
  readonly clickRates: readonly number[];
}

/** Reads the extract; the file is part of the repository, so its shape is taken as given. */
export async function readHeadlineTests(file: URL): Promise<HeadlineTest[]> {
  return toHeadlineTests(JSON.parse(await readFile(file, 'utf8')) as Extract);
}

function toHeadlineTests(extract: Extract): HeadlineTest[] {
  return extract.tests.map(({ id, week, headlines }) => ({
    id,
    week,
    headlines: headlines.map(({ text }) => text),
    clickRates: shrunkClickRates(headlines, extract.shrinkageStrength),
  }));
}
