import { readFileSync } from 'node:fs';
import { ConfigError, loadConfig } from '@bandit/config';
import { closeWithGrace, createLogger, writeLines } from '@bandit/process';
import { announcement } from './announce.ts';
import { startPlatform } from './start.ts';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

let isStopping = false;
try {
  const config = loadConfig(process.env);
  const log = createLogger(config.logLevel, undefined, writeLines(process.stdout));
  const platform = await startPlatform({
    config,
    version,
    log,
    monotonicMs: () => performance.now(),
    machineMs: () => Date.now(),
    rng: Math.random,
    onOpened: (close) => {
      closeWithGrace(() => {
        isStopping = true;
        return close();
      }, log);
    },
    onLost: (error) => {
      log.fatal(
        { err: error },
        'the embedded database is gone: start again, nothing that was answered is lost',
      );
      process.exit(1);
    },
  });
  process.stderr.write(`${announcement(platform, config)}\n`);
} catch (error) {
  // What a start that is stopped half-way throws is nobody's concern: stopping goes on and ends the process.
  if (!isStopping) refuse(error);
}

function refuse(error: unknown): never {
  const isExpected =
    error instanceof ConfigError ||
    (error instanceof Error && ['DataFolderInUseError', 'HeldByAnotherError'].includes(error.name));
  console.error(isExpected ? (error as Error).message : error);
  process.exit(1);
}
