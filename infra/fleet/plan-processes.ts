import { fileURLToPath } from 'node:url';
import type { ServiceName } from './instance-table.ts';
import type { ProcessPlan } from './supervisor/process-run.ts';

export interface PlanOptions {
  readonly counts: Readonly<Record<ServiceName, number>>;
  /** The fleet's own environment: configuration and secrets go on to every process. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The gateway believes somebody's `x-user-email`, and has taken everybody else's away. */
  readonly isAnyProxyTrusted: boolean;
}

/** The learner is a part of ingest, in a process of its own. */
const programs: Readonly<Record<ServiceName, string>> = {
  assignment: programOf('assignment'),
  ingest: programOf('ingest'),
  learner: programOf('ingest'),
  management: programOf('management'),
};
const parts: Partial<Record<ServiceName, string>> = { ingest: 'accept', learner: 'learner' };

/** Every process of the fleet: `assignment-1`, `assignment-2`, `ingest-1` … */
export function planProcesses({ counts, env, isAnyProxyTrusted }: PlanOptions): ProcessPlan[] {
  const shared = {
    ...env,
    // The gateway listens and sees the peers; a process sees its socket alone.
    HOST: undefined,
    PORT: undefined,
    RATE_LIMIT_PER_PEER: '0',
    TRUSTED_PROXIES: isAnyProxyTrusted ? 'unix' : undefined,
  };
  return (Object.keys(counts) as ServiceName[]).flatMap((service) =>
    Array.from({ length: counts[service] }, (_, i) => ({
      name: `${service}-${i + 1}`,
      service,
      args: ['--no-warnings', programs[service]],
      env: { ...shared, INGEST_PARTS: parts[service] },
    })),
  );
}

function programOf(folder: string): string {
  return fileURLToPath(new URL(`../../services/${folder}/src/main.ts`, import.meta.url));
}
