import { limits } from '@bandit/contracts';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { AssignmentCounts } from './assignment-counts.ts';

export interface RecorderReadings {
  nWaiting(): number;
  nUnrecorded(): number;
  isAway(): boolean;
}

/** Registers what this service measures. @returns what to call after each group commit */
export function registerMetrics(
  registry: Registry,
  counts: AssignmentCounts,
  recorder: RecorderReadings,
): (report: { nRows: number; isFailed: boolean }) => void {
  const registers = [registry];
  new Counter({
    name: 'bandit_assignments_total',
    help: 'Assignments answered, by where the answer came from.',
    labelNames: ['algorithm', 'source'],
    registers,
    collect() {
      this.reset();
      for (const { algorithm, origin, count } of counts.entries()) {
        if (count > 0) this.inc({ algorithm, source: origin }, count);
      }
    },
  });
  gauge(registers, 'queue_rows', 'Assignments that wait for a commit.', () => recorder.nWaiting());
  gauge(registers, 'unrecorded', 'Assignments answered but not on record yet.', () => recorder.nUnrecorded());
  gauge(registers, 'store_away', '1 while the database is not asked.', () => Number(recorder.isAway()));
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
