import { readFileSync } from 'node:fs';
import { ConfigError, loadConfig } from '@bandit/config';
import { closeWithGrace, createLogger } from '@bandit/process';
import { announcement } from './announce.ts';
import { startPlatform } from './start.ts';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

try {
  const config = loadConfig(process.env);
  const log = createLogger(config.logLevel);
  const platform = await startPlatform({
    config,
    version,
    log,
    monotonicMs: () => performance.now(),
    machineMs: () => Date.now(),
    rng: Math.random,
    onLost: (error) => {
      log.fatal(
        { err: error },
        'the embedded database is gone: start again, nothing that was answered is lost',
      );
      process.exit(1);
    },
  });
  process.stderr.write(`${announcement(platform, config)}\n`);
  closeWithGrace(platform.close, log);
} catch (error) {
  const isExpected =
    error instanceof ConfigError || (error instanceof Error && error.name === 'DataFolderInUseError');
  console.error(isExpected ? (error as Error).message : error);
  process.exit(1);
}
