import type { AssignmentIdCodec } from '@bandit/auth';
import type { Config } from '@bandit/config';
import type { Bus } from '@bandit/contracts';
import type { Directory } from '@bandit/directory';
import type { HttpServer } from '@bandit/http';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { OpenStore } from '../open-store.ts';
import type { LocalSecrets } from '../secrets.ts';

/** What all services of one process share. */
export interface ServicesContext {
  readonly app: HttpServer;
  readonly config: Config;
  readonly secrets: LocalSecrets | undefined;
  readonly store: OpenStore;
  readonly ids: AssignmentIdCodec;
  readonly bus: Bus;
  readonly nowMs: () => number;
  readonly registry: Registry;
  readonly log: Logger;
  /** Registers what must be closed; what is registered last is closed first. */
  readonly owns: (name: string, close: () => unknown) => void;
}

/** The same once the configuration is followed. */
export interface LiveContext extends ServicesContext {
  readonly directory: Directory;
}
