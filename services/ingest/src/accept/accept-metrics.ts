import { limits } from '@bandit/contracts';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

export type EventOutcome = 'created' | 'duplicate' | 'refused' | 'failed';

export interface AcceptMetrics {
  countEvent(eventType: string, outcome: EventOutcome): void;
  observeCommit(nRows: number, isFailed: boolean): void;
  /** @returns ends the measurement of one commit, its retries included */
  startCommit(): () => void;
  /** Read when the registry is scraped. */
  watchQueue(depth: () => number): void;
}

/** `bandit_events_total{type,outcome}`, sizes, times and failures of commits, and the queue in front of them. */
export function createAcceptMetrics(registry: Registry): AcceptMetrics {
  const registers = [registry];
  const events = new Counter({
    name: 'bandit_events_total',
    help: 'Events that came in, by what became of them.',
    labelNames: ['type', 'outcome'],
    registers,
  });
  const sizes = new Histogram({
    name: 'bandit_event_commit_rows',
    help: 'Rows in one commit.',
    buckets: [1, 2, 5, 10, 20, 50, 100, 200, limits.groupCommitRowsMax],
    registers,
  });
  const seconds = new Histogram({
    name: 'bandit_event_commit_seconds',
    help: 'Time of one commit, its retries included.',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
    registers,
  });
  const failures = new Counter({
    name: 'bandit_event_commit_failures_total',
    help: 'Commits that failed, or whose outcome stayed unknown.',
    registers,
  });
  return {
    countEvent: (type, outcome) => events.inc({ type, outcome }),
    observeCommit: (nRows, isFailed) => {
      sizes.observe(nRows);
      if (isFailed) failures.inc();
    },
    startCommit: () => seconds.startTimer(),
    watchQueue: (depth) => {
      new Gauge({
        name: 'bandit_event_queue_rows',
        help: 'Events that wait for a commit.',
        registers,
        collect() {
          this.set(depth());
        },
      });
    },
  };
}
