import type { Entry } from './load-messages.ts';

/** The value that a share of the requests did not exceed; milliseconds. NaN when there are none. */
export function quantile(entries: readonly Pick<Entry, 'tookMs'>[], share: number): number {
  const sorted = entries.map(({ tookMs }) => tookMs).sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

export interface Row {
  readonly what: string;
  /** Assignments asked for while the store was away and the breaker open. */
  readonly requests: number;
  /** Of all from the failure on. */
  readonly not200: number;
  readonly before: readonly Entry[];
  readonly during: readonly Entry[];
  readonly after: readonly Entry[];
  /** From the failure until nobody waits for the store. */
  readonly openedMs: number;
  readonly drainedMs: number;
  readonly equalMs: number;
  /** Users with two treatments, by when they were first asked for: when it failed, while away, when it came back. */
  readonly twice: readonly [number, number, number];
}

/** Printed at the end of the test, as it is in the report of a run. */
export function printTable(rows: readonly Row[]): void {
  const columns = ['store, failure', 'requests', 'not 200', 'p50/p99 before', 'during', 'after'];
  const more = ['opened', 'drained', 'numbers equal', 'two treatments: first wave/away/return'];
  const lines = rows.map((row) => [
    row.what,
    String(row.requests),
    String(row.not200),
    ...[row.before, row.during, row.after].map(pair),
    ...[row.openedMs, row.drainedMs, row.equalMs].map((ms) => `${Math.round(ms)} ms`),
    row.twice.join('/'),
  ]);
  for (const cells of [[...columns, ...more], ...lines]) console.log(`# | ${cells.join(' | ')} |`);
}

const pair = (entries: readonly Entry[]) =>
  `${quantile(entries, 0.5).toFixed(1)}/${quantile(entries, 0.99).toFixed(1)} ms`;
