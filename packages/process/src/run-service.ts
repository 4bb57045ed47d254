import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type Config, ConfigError, type ConfigNeeds, loadConfig } from '@bandit/config';
import type { Logger } from 'pino';
import { assignmentSecretOf } from './assignment-secret.ts';
import { closeWithGrace } from './close-with-grace.ts';
import { prepareDatabase } from './database/prepare-database.ts';
import type { Address } from './listen.ts';
import { createLogger } from './logger.ts';
import { type OpenedProcess, openProcess } from './open-process.ts';
import type { ProcessContext } from './process-context.ts';
import { writeLines } from './write-lines.ts';

/** One service as a process of its own. */
export interface ServiceProgram {
  readonly name: string;
  readonly needs: ConfigNeeds;
  /** Registers its routes and what runs beside them. */
  readonly open: (context: ProcessContext) => Promise<unknown>;
  /** Whether this configuration leaves it nothing but to learn. */
  readonly isLearnerOnly?: (config: Config) => boolean;
  /** Owns the schema: brings it up to date at start where that is not left to a command. */
  readonly isSchemaOwner?: boolean;
}

/** What only a main.ts may touch. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly monotonicMs: () => number;
  readonly machineMs: () => number;
  /** Uniform on [0, 1). */
  readonly rng: () => number;
  readonly process: NodeJS.Process;
}

/**
 * Runs until a signal. Listens at once (`/livez` answers, `/readyz` is 503) and serves when its stores let it. Whoever
 * started it with an IPC channel is told `{ type: 'listening', url }` or `{ type: 'listening', socket }`; when that channel
 * closes, the process stops as by SIGTERM, so that none is left without its owner.
 */
export async function runService(program: ServiceProgram, surroundings: Surroundings): Promise<void> {
  try {
    await run(program, surroundings);
  } catch (error) {
    console.error(error instanceof ConfigError ? error.message : error);
    surroundings.process.exit(1);
  }
}

async function run(program: ServiceProgram, surroundings: Surroundings): Promise<void> {
  const { env, monotonicMs, machineMs, rng } = surroundings;
  const config = loadConfig(env, program.needs);
  const log = createLogger(config.logLevel, program.name, writeLines(surroundings.process.stdout));
  const target = { connectionString: config.databaseUrl as string };
  const opened = await openProcess({
    service: program.name,
    config,
    version: readVersion(),
    log,
    target,
    isLearnerOnly: program.isLearnerOnly?.(config) ?? false,
    prepare: program.isSchemaOwner === true ? schemaOwner(config, target, log) : undefined,
    monotonicMs,
    machineMs,
    rng,
  });
  closeWithGrace(opened.close, log);
  await program.open(opened.context);
  const address = await opened.listen();
  tell(surroundings.process, address);
  log.info({ ...address }, 'listening');
  await start(opened, log, surroundings.process);
}

async function start(opened: OpenedProcess, log: Logger, owner: NodeJS.Process): Promise<void> {
  try {
    await opened.start();
    log.info({}, 'ready');
  } catch (error) {
    // Told to stop while it waited.
    if ((error as Error).name === 'AbortError') return;
    log.fatal({ err: error }, 'this process cannot start');
    await opened.close();
    owner.exit(1);
  }
}

function schemaOwner(config: Config, target: { connectionString: string }, log: Logger) {
  if (!config.isMigratedAtStart) return undefined;
  return () => prepareDatabase({ target, secret: assignmentSecretOf(config, undefined), randomBytes, log });
}

function tell(owner: NodeJS.Process, address: Address): void {
  if (owner.send === undefined) return;
  owner.send({ type: 'listening', ...address });
  owner.once('disconnect', () => owner.kill(owner.pid, 'SIGTERM'));
}

function readVersion(): string {
  const text = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
