import { fileURLToPath } from 'node:url';
import type { ServiceName } from '../instance-table.ts';
import type { ProcessPlan } from '../supervisor/process-run.ts';

const program = fileURLToPath(new URL('./stand-in-process.ts', import.meta.url));

/** @param env of every process beside PATH */
export function standInPlans(
  counts: Partial<Record<ServiceName, number>>,
  env: Readonly<Record<string, string>> = {},
): ProcessPlan[] {
  return Object.entries(counts).flatMap(([service, count]) =>
    Array.from({ length: count }, (_, i) => ({
      name: `${service}-${i + 1}`,
      service: service as ServiceName,
      args: ['--no-warnings', program],
      env: { PATH: process.env.PATH, ...env },
    })),
  );
}
