import type { Bus, NowMs } from '@bandit/contracts';
import type { Database, StoredAssignment } from '@bandit/db';
import type { LateAssignments } from '@bandit/process';
import type { Kysely } from 'kysely';
import type { Access } from './access.ts';
import type { MadeApiKey } from './api-keys/create-api-key.ts';
import type { AiDeps } from './variants/connect-ai.ts';

/** What the management routes need of their surroundings. */
export interface ManagementDeps {
  readonly db: Kysely<Database>;
  readonly bus: Pick<Bus, 'publish' | 'request'>;
  /** Database time, whole milliseconds. */
  readonly nowMs: NowMs;
  /** Unpredictable bytes, for ids. */
  readonly randomBytes: (nBytes: number) => Uint8Array;
  /** Where SDKs are served by the same process: after it, they are by the configuration that was committed before it. */
  readonly confirmConfiguration?: (() => Promise<void>) | undefined;
  readonly access: Access;
  readonly makeApiKey: () => MadeApiKey;
  /** The id of an assignment, made again from its fields (auth's codec). */
  readonly signAssignment: (assignment: StoredAssignment) => string;
  /** What was answered while the database was away; left out where the database is always asked first. */
  readonly lateAssignments?: LateAssignments | undefined;
  /** Keyed hash of an end user (auth's codec). */
  readonly hashSubject: (companyId: string, userId: string) => Uint8Array;
  /** True where events also go to a stream, and assignments to a cache that processes share. */
  readonly hasSharedStores?: boolean | undefined;
  /** Lets the operator create companies; undefined or empty: nobody can. */
  readonly platformToken: string | undefined;
  /** What `connectAi` made; left out when no provider is configured. */
  readonly ai?: AiDeps | undefined;
}
