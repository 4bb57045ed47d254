import { limits } from '@bandit/contracts';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

export interface LearnerMetrics {
  setLag(seconds: number): void;
  setPartitions(n: number): void;
  observeFold(nFacts: number, seconds: number): void;
  countFailure(): void;
  countExceptions(reason: string, n: number): void;
}

/** `bandit_learner_lag_seconds` (age of the oldest fact that is not learned), folds, failures and exceptions. */
export function createLearnerMetrics(registry: Registry): LearnerMetrics {
  const registers = [registry];
  const gauge = (name: string, help: string) => new Gauge({ name, help, registers });
  const lag = gauge('bandit_learner_lag_seconds', 'Age of the oldest fact that is not learned yet.');
  const partitions = gauge('bandit_learner_partitions', 'Partitions that this process learns.');
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
    help: 'Facts on record as not learned.',
    labelNames: ['reason'],
    registers,
  });
  return {
    setLag: (value) => lag.set(value),
    setPartitions: (n) => partitions.set(n),
    observeFold: (nFacts, duration) => {
      facts.observe(nFacts);
      seconds.observe(duration);
    },
    countFailure: () => failures.inc(),
    countExceptions: (reason, n) => exceptions.inc({ reason }, n),
  };
}
