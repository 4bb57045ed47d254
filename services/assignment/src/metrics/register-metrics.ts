import { limits } from '@bandit/contracts';
import { Counter, type CounterConfiguration, Gauge, Histogram, type Registry } from 'prom-client';
import type { LateCounts } from '../record/late-counts.ts';
import type { AssignmentCounts } from './assignment-counts.ts';

export interface Readings {
  readonly recorder: {
    readonly counts: LateCounts;
    nWaiting(): number;
    nUnrecorded(): number;
    isAway(): boolean;
    areRecordsAway(): boolean;
  };
  /** undefined while that is not known. */
  nKeptInRecords(): number | undefined;
}

/** Registers what this service measures. @returns what to call after each group commit */
export function registerMetrics(
  registry: Registry,
  counts: AssignmentCounts,
  readings: Readings,
): (report: { nRows: number; isFailed: boolean }) => void {
  registerAnswers(registry, counts);
  registerOutages(registry, readings);
  registerLateRecords(registry, readings.recorder.counts);
  const registers = [registry];
  const sizes = new Histogram({
    name: 'bandit_assignment_commit_rows',
    help: 'Rows in one commit.',
    buckets: [1, 2, 5, 10, 20, 50, 100, 200, limits.groupCommitRowsMax],
    registers,
  });
  const failures = new Counter({
    name: 'bandit_assignment_commit_failures_total',
    help: 'Commits that failed, or whose outcome is unknown.',
    registers,
  });
  return ({ nRows, isFailed }) => {
    sizes.observe(nRows);
    if (isFailed) failures.inc();
  };
}

function registerAnswers(registry: Registry, counts: AssignmentCounts): void {
  counter(registry, {
    name: 'bandit_assignments_total',
    help: 'Assignments answered, by where the answer came from.',
    labelNames: ['algorithm', 'source'],
    collect() {
      this.reset();
      for (const { algorithm, origin, count } of counts.entries()) {
        if (count > 0) this.inc({ algorithm, source: origin }, count);
      }
    },
  });
  counter(registry, {
    name: 'bandit_assignment_claims_total',
    help: 'Claims of the shared cache while the database was away, by outcome.',
    labelNames: ['outcome'],
    collect() {
      this.reset();
      for (const [outcome, count] of Object.entries(counts.claims)) this.inc({ outcome }, count);
    },
  });
}

function registerOutages(registry: Registry, { recorder, nKeptInRecords }: Readings): void {
  const registers = [registry];
  new Gauge({
    name: 'bandit_assignment_store_away',
    help: '1 while answers do not wait for the store: its breaker is open, or there is none.',
    labelNames: ['store'],
    registers,
    collect() {
      this.set({ store: 'database' }, Number(recorder.isAway()));
      this.set({ store: 'records' }, Number(recorder.areRecordsAway()));
    },
  });
  gauge(registers, 'queue_rows', 'Assignments that wait for a commit.', () => recorder.nWaiting());
  gauge(registers, 'unrecorded', 'Assignments answered but not brought in yet, in memory.', () =>
    recorder.nUnrecorded(),
  );
  gauge(
    registers,
    'records_kept',
    'Records in RECORDS that nobody has brought in yet; NaN: not known.',
    () => nKeptInRecords() ?? Number.NaN,
  );
}

function registerLateRecords(registry: Registry, late: LateCounts): void {
  counter(registry, {
    name: 'bandit_assignment_record_puts_total',
    help: 'Attempts to put an answered assignment into RECORDS, by outcome.',
    labelNames: ['outcome'],
    collect() {
      this.reset();
      for (const [outcome, count] of Object.entries(late.puts)) this.inc({ outcome }, count);
    },
  });
  counter(registry, {
    name: 'bandit_assignment_brought_in_total',
    help: 'Assignments answered without the database and brought in later, by where they waited and what became of them.',
    labelNames: ['source', 'outcome'],
    collect() {
      this.reset();
      for (const [source, counts] of [
        ['memory', late.fromMemory],
        ['records', late.fromRecords],
      ] as const) {
        for (const [outcome, count] of Object.entries(counts)) this.inc({ source, outcome }, count);
      }
    },
  });
}

function counter<L extends string>(registry: Registry, configuration: CounterConfiguration<L>): void {
  new Counter({ ...configuration, registers: [registry] });
}

function gauge(registers: Registry[], name: string, help: string, read: () => number): void {
  new Gauge({
    name: `bandit_assignment_${name}`,
    help,
    registers,
    collect() {
      this.set(read());
    },
  });
}
