import { setTimeout as delay } from 'node:timers/promises';
import { type OpenedDatabase, type RetentionReport, runRetention } from '@bandit/db';
import type { Logger } from 'pino';
import { Counter, Gauge, type Registry } from 'prom-client';

const dayMs = 86_400_000;

export interface RetentionTaskOptions {
  /** A login that may act as bandit_retention. */
  readonly db: OpenedDatabase['db'];
  /** Whole days. */
  readonly retentionMs: number;
  readonly log: Pick<Logger, 'info'>;
  readonly registry: Registry;
}

/** @returns one run of retention; it ends between two steps once `signal` is aborted */
export function createRetentionTask(options: RetentionTaskOptions): (signal: AbortSignal) => Promise<void> {
  const { db, retentionMs, log, registry } = options;
  const metrics = createMetrics(registry);
  return async (signal) => {
    const report = await runRetention(db, {
      retentionDays: retentionMs / dayMs,
      pause: async (ms) => {
        signal.throwIfAborted();
        await delay(ms, undefined, { signal });
      },
      onDropped: ({ kind, month, nFacts }) => {
        metrics.dropped.inc({ kind }, nFacts);
        log.info(
          { kind, month: month.toISOString().slice(0, 7), nFacts },
          'facts older than retention were dropped',
        );
      },
    });
    if (report.oldestMonth !== undefined) metrics.oldest.set(report.oldestMonth.getTime() / 1_000);
    const reason = reasonsToWait[report.outcome];
    if (reason !== undefined) log.info({ outcome: report.outcome }, reason);
  };
}

const reasonsToWait: Record<RetentionReport['outcome'], string | undefined> = {
  done: undefined,
  busy: undefined,
  unlearned: 'retention waits: what is to be dropped is not learned yet',
  unpublished: 'retention waits: what is to be dropped is not on the EVENTS stream yet',
};

function createMetrics(registry: Registry) {
  const registers = [registry];
  return {
    oldest: new Gauge({
      name: 'bandit_facts_oldest_month_timestamp_seconds',
      help: 'Start of the oldest month of assignments that is kept, as of the last run of retention; 0 before it.',
      registers,
    }),
    dropped: new Counter({
      name: 'bandit_retention_dropped_facts_total',
      help: 'Facts that retention dropped with their month.',
      labelNames: ['kind'],
      registers,
    }),
  };
}
