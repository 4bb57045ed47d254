import { type DatabaseLog, startEmbedded } from '@bandit/db';
import type { DatabaseTarget } from '@bandit/process';

export interface TargetOptions {
  readonly databaseUrl: string | undefined;
  readonly dataDir: string;
  readonly startedAt: string;
  readonly log: DatabaseLog;
  /** The embedded database stopped by itself: report and exit. */
  readonly onLost: (error: Error) => void;
}

/** Where the database is: DATABASE_URL, or the embedded one, which is started. */
export async function openTarget(
  options: TargetOptions,
): Promise<{ readonly target: DatabaseTarget; close(): Promise<void> }> {
  const { databaseUrl, dataDir, startedAt, log, onLost } = options;
  if (databaseUrl !== undefined)
    return { target: { connectionString: databaseUrl }, close: async () => undefined };
  const embedded = await startEmbedded({ dataDir, startedAt, log, onExit: onLost });
  return { target: { socketDir: embedded.socketDir }, close: embedded.close };
}
