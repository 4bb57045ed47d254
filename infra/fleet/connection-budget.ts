import type { ServiceName } from './instance-table.ts';

export interface ConnectionBudget {
  /** How many processes of each service there are. */
  readonly counts: Readonly<Record<ServiceName, number>>;
  /** Connections to Postgres that one process of each may open. */
  readonly perProcess: Readonly<Record<ServiceName, number>>;
  readonly serverMax: number;
  /** Kept by Postgres for its superusers. */
  readonly serverReserved: number;
}

/**
 * All processes at their most, with one of the largest twice: while it is replaced, the old and the new one run.
 *
 * @returns a sentence with the arithmetic when Postgres allows fewer; undefined when they fit
 */
export function findConnectionShortage(budget: ConnectionBudget): string | undefined {
  const { counts, perProcess, serverMax, serverReserved } = budget;
  const services = (Object.keys(counts) as ServiceName[]).filter((service) => counts[service] > 0);
  const spare = Math.max(...services.map((service) => perProcess[service]));
  const needed = services.reduce((sum, service) => sum + counts[service] * perProcess[service], spare);
  const free = serverMax - serverReserved;
  if (needed <= free) return undefined;
  const parts = services.map((service) => `${service} ${counts[service]} x ${perProcess[service]}`);
  return (
    `The fleet may open ${needed} connections to Postgres (${parts.join(' + ')} + ${spare} while one is replaced), ` +
    `and it allows ${free} (max_connections ${serverMax} - ${serverReserved} reserved). ` +
    'Start fewer processes (*_INSTANCES), or raise max_connections and restart Postgres.'
  );
}
