import type { ApiKeyGuard } from '@bandit/auth';
import type { Config } from '@bandit/config';
import type { Bus, NowMs, RecordStream } from '@bandit/contracts';
import type { Directory } from '@bandit/directory';
import type { HttpServer } from '@bandit/http';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { LiveAssignmentIds } from './database/assignment-ids.ts';
import type { Pools } from './database/open-pools.ts';
import type { GeneratedSecrets } from './generated-secrets.ts';
import type { LateAssignments } from './late-assignments.ts';

/** What a service is built from: everything that the services of one process share. */
export interface ProcessContext {
  /** Routes are registered on it before it listens. */
  readonly app: HttpServer;
  readonly config: Config;
  /** Secrets that the embedded default made for itself; undefined where they are configured. */
  readonly generated: GeneratedSecrets | undefined;
  readonly pools: Pools;
  readonly bus: Bus;
  /** undefined without NATS. */
  readonly records: RecordStream | undefined;
  /** What was answered while the database was away; undefined without NATS. */
  readonly lateAssignments: LateAssignments | undefined;
  readonly ids: LiveAssignmentIds;
  readonly directory: Directory;
  readonly keys: ApiKeyGuard;
  /** Database time, whole milliseconds. */
  readonly nowMs: NowMs;
  /** A local clock that never steps back. */
  readonly monotonicMs: NowMs;
  readonly registry: Registry;
  readonly log: Logger;
  /** Registers what must be closed; what is registered last is closed first. */
  readonly owns: (name: string, close: () => unknown) => void;
  /** Runs once, when the database is ready for it, in the order of registration; its answer makes the process ready. */
  readonly onStart: (work: () => unknown) => void;
  /** A part of `/readyz`. */
  readonly checks: Record<string, () => boolean>;
}
