import { limits } from '@bandit/contracts';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** Ends a piece of work that was begun. */
export type EndWork = (isFailed: boolean) => void;

/** What the registry asks for when it is scraped; seconds and counts. */
export interface LearnerReadings {
  readonly lagSeconds: number;
  readonly lookAgeSeconds: number;
  readonly unpublishedSeconds: number;
  readonly unpublishedEvents: number;
  readonly nPartitions: number;
}

export interface LearnerMetrics {
  watch(read: () => LearnerReadings): void;
  observeFold(nFacts: number, seconds: number): void;
  countFailure(): void;
  countExceptions(reason: string, n: number): void;
  startRebuild(): EndWork;
  startTraining(): EndWork;
}

/** `bandit_learner_…`: how far behind, what folds take, what was not learned, rebuilds and training. */
export function createLearnerMetrics(registry: Registry): LearnerMetrics {
  const registers = [registry];
  const facts = new Histogram({
    name: 'bandit_learner_fold_facts',
    help: 'Facts in one fold.',
    buckets: [1, 10, 100, 500, 1_000, 2_500, limits.learnerChunkFactsMax],
    registers,
  });
  const seconds = new Histogram({
    name: 'bandit_learner_fold_seconds',
    help: 'Time of one fold, commit included.',
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
    registers,
  });
  const failures = new Counter({
    name: 'bandit_learner_fold_failures_total',
    help: 'Folds that failed and were tried again.',
    registers,
  });
  const exceptions = new Counter({
    name: 'bandit_learner_exceptions_total',
    help: 'Facts on record as not learned, by why.',
    labelNames: ['reason'],
    registers,
  });
  return {
    watch: (read) => watchReadings(registers, read),
    observeFold: (nFacts, duration) => {
      facts.observe(nFacts);
      seconds.observe(duration);
    },
    countFailure: () => failures.inc(),
    countExceptions: (reason, n) => exceptions.inc({ reason }, n),
    startRebuild: measureWork(registers, 'rebuild', 'Rebuilds of a state from recorded history'),
    startTraining: measureWork(registers, 'training', 'Rounds of training a network'),
  };
}

function watchReadings(registers: Registry[], read: () => LearnerReadings): void {
  const gauge = (name: string, help: string, pick: (readings: LearnerReadings) => number): void => {
    new Gauge({
      name: `bandit_learner_${name}`,
      help,
      registers,
      collect() {
        this.set(pick(read()));
      },
    });
  };
  gauge('lag_seconds', 'Age of the oldest fact that is not learned yet.', (now) => now.lagSeconds);
  gauge(
    'look_age_seconds',
    'Time since the database was last looked at for facts: the lag is as old.',
    (now) => now.lookAgeSeconds,
  );
  gauge(
    'unpublished_seconds',
    'Age of the oldest event that is learned and not on the EVENTS stream yet.',
    (now) => now.unpublishedSeconds,
  );
  gauge(
    'unpublished_events',
    'Events that are learned and not on the EVENTS stream yet; an outage is counted up to a bound.',
    (now) => now.unpublishedEvents,
  );
  gauge('partitions', 'Partitions that this process learns.', (now) => now.nPartitions);
}

/** A histogram of how long such work took and a counter of how often it failed. */
function measureWork(registers: Registry[], name: string, what: string): () => EndWork {
  const seconds = new Histogram({
    name: `bandit_learner_${name}_seconds`,
    help: `${what}: time of one.`,
    buckets: [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60],
    registers,
  });
  const failures = new Counter({
    name: `bandit_learner_${name}_failures_total`,
    help: `${what} that failed.`,
    registers,
  });
  return () => {
    const observe = seconds.startTimer();
    return (isFailed) => {
      observe();
      if (isFailed) failures.inc();
    };
  };
}
