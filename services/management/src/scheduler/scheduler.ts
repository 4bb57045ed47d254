/**
 * Completes experiments whose end has come, in whichever process runs it: several may, the company's lock and a second
 * look decide who does. Holds nothing but its timer: what is due stands in the database, so after a downtime the first
 * look finds all that fell due meanwhile. (Assignments stop at the instant itself; this only moves the status.)
 * Modes: stopped, waiting, looking; `start` and `close` change them, looks never overlap.
 */
import { limits, type NowMs } from '@bandit/contracts';
import { findExperiment, listDueExperiments, updateExperiment } from '@bandit/db';
import { type ChangeDeps, changeCompany } from '../change-company.ts';

export interface SchedulerLog {
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
}

export interface SchedulerDeps extends ChangeDeps {
  /** Database time. */
  readonly nowMs: NowMs;
  readonly log: SchedulerLog;
  readonly pollMs?: number;
}

export interface Scheduler {
  /** Looks at once, then every `pollMs`. */
  start(): void;
  /** One look. @returns how many experiments it completed; never rejects */
  look(): Promise<number>;
  /** Waits for a running look. */
  close(): Promise<void>;
}

export function createScheduler(deps: SchedulerDeps): Scheduler {
  const { log, pollMs = limits.schedulerPollMs } = deps;
  let timer: NodeJS.Timeout | undefined;
  let looking: Promise<number> | undefined;
  let isFailing = false;

  async function completeDue(): Promise<number> {
    const due = await listDueExperiments(deps.db, deps.nowMs(), limits.dueExperimentsPerPollMax);
    let nCompleted = 0;
    for (const { companyId, experimentId } of due) {
      if (await completeExperiment(deps, companyId, experimentId)) nCompleted += 1;
    }
    return nCompleted;
  }

  async function lookSafely(): Promise<number> {
    try {
      const nCompleted = await completeDue();
      if (isFailing) log.info({}, 'the scheduler works again');
      isFailing = false;
      return nCompleted;
    } catch (error) {
      if (!isFailing)
        log.warn({ err: error }, 'the scheduler could not complete due experiments; it goes on trying');
      isFailing = true;
      return 0;
    }
  }

  const look = () => {
    looking ??= lookSafely().finally(() => {
      looking = undefined;
    });
    return looking;
  };

  return {
    start: () => {
      if (timer !== undefined) return;
      timer = setInterval(look, pollMs);
      void look();
    },
    look,
    close: async () => {
      clearInterval(timer);
      timer = undefined;
      await looking;
    },
  };
}

async function completeExperiment(
  deps: SchedulerDeps,
  companyId: string,
  experimentId: string,
): Promise<boolean> {
  return changeCompany(deps, { companyId, actor: 'scheduler' }, async (trx) => {
    const experiment = (await findExperiment(trx, companyId, experimentId))?.experiment;
    if (!experiment || !['active', 'paused'].includes(experiment.status)) return { result: false };
    const isDue = experiment.end_at !== null && experiment.end_at.getTime() <= deps.nowMs();
    if (!isDue) return { result: false };
    await updateExperiment(trx, companyId, experimentId, { status: 'completed' });
    const details = { from: experiment.status, to: 'completed', endAt: experiment.end_at?.toISOString() };
    return { result: true, note: { action: 'experiment.end', target: experimentId, details } };
  });
}
