import { openAssignment } from '@bandit/assignment';
import { openIngest } from '@bandit/ingest';
import { type ManagementDeps, openManagement } from '@bandit/management';
import type { ProcessContext } from '@bandit/process';

/** Registers all three services on one process. The learner starts before assignments are answered. */
export async function openServices(context: ProcessContext): Promise<ManagementDeps> {
  await openIngest(context);
  await openAssignment(context);
  return openManagement(context);
}
