/**
 * Keeps the processes of the fleet running: starts them, starts again what ends, replaces them one after another, stops
 * them in order. It holds nothing but who runs; killed, it leaves nobody behind, because its processes end with the channel
 * to it.
 */
import type { InstanceTable, ServiceName } from '../instance-table.ts';
import { InstanceSlot } from './instance-slot.ts';
import type { ProcessPlan, RunDeps } from './process-run.ts';

export interface SupervisorOptions extends RunDeps {
  readonly plans: readonly ProcessPlan[];
  readonly table: InstanceTable;
  /** Of the sockets: nobody else may enter. */
  readonly folder: string;
}

export interface Supervisor {
  start(): void;
  /** Replaces every process, one after another. Called meanwhile, it does so once more afterwards. */
  roll(): Promise<void>;
  /** What takes requests in first, what works on them next, management last. */
  stop(): Promise<void>;
  /** Ends all processes now. */
  kill(): void;
  /** By name; without those that wait for their next start. */
  pids(): Record<string, number>;
}

/** Management first: it owns the schema, and the others' new code may wait for what its new code brings. */
const rollOrder: readonly ServiceName[] = ['management', 'learner', 'ingest', 'assignment'];
const stopOrder: readonly (readonly ServiceName[])[] = [
  ['assignment', 'ingest'],
  ['learner'],
  ['management'],
];

export function createSupervisor(options: SupervisorOptions): Supervisor {
  const { plans, table, folder, log } = options;
  const slots = plans.map((plan) => new InstanceSlot(plan, folder, options));
  for (const { name, service } of plans) table.declare(name, service);
  let rolling: Promise<void> | undefined;
  let isAskedAgain = false;
  let isStopping = false;

  const rollOnce = async (): Promise<void> => {
    log.info({ processes: slots.length }, 'replacing the processes, one after another');
    for (const slot of rollOrder.flatMap((service) => slots.filter(({ plan }) => plan.service === service))) {
      if (isStopping) return;
      if (!(await slot.replace()) && !isStopping) {
        const { name } = slot.plan;
        log.error({ name }, 'the new process was not ready in time: the old ones stay from here on');
        return;
      }
    }
    log.info({ processes: slots.length }, 'every process was replaced');
  };
  const rollAll = async (): Promise<void> => {
    do {
      isAskedAgain = false;
      await rollOnce();
    } while (isAskedAgain && !isStopping);
    rolling = undefined;
  };
  return {
    start: () => {
      for (const slot of slots) slot.start();
    },
    roll: () => {
      if (rolling !== undefined) isAskedAgain = true;
      rolling ??= rollAll();
      return rolling;
    },
    stop: async () => {
      isStopping = true;
      for (const services of stopOrder) {
        const part = slots.filter(({ plan }) => services.includes(plan.service));
        await Promise.all(part.map((slot) => slot.stop()));
      }
    },
    kill: () => {
      isStopping = true;
      for (const slot of slots) slot.kill();
    },
    pids: () => Object.fromEntries(slots.flatMap(nameAndPid)),
  };
}

function nameAndPid(slot: InstanceSlot): [string, number][] {
  return slot.pid === undefined ? [] : [[slot.plan.name, slot.pid]];
}
