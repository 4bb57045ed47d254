import type { ManagementDeps } from '@bandit/management';
import { openAccess } from './services/open-access.ts';
import { openAssignment } from './services/open-assignment.ts';
import { openDirectory } from './services/open-directory.ts';
import { openIngest } from './services/open-ingest.ts';
import { openManagement } from './services/open-management.ts';
import type { ServicesContext } from './services/services-context.ts';

export interface RunningServices {
  readonly management: ManagementDeps;
  /** True while each part can do its job. */
  readonly checks: Readonly<Record<string, () => boolean>>;
  /** Reloads the configuration now. */
  reload(): Promise<void>;
}

/** Starts what runs beside the routes and registers the routes of all three services on one server. */
export async function runServices(context: ServicesContext): Promise<RunningServices> {
  const directory = await openDirectory(context);
  const live = { ...context, directory };
  const access = await openAccess(live);
  const learner = await openIngest(live, access);
  const assignment = await openAssignment(live, access);
  const management = await openManagement(live, access);
  return {
    management,
    checks: { configuration: directory.isReady, state: assignment.isReady, learner: learner.isReady },
    reload: directory.poll,
  };
}
