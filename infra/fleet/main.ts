/** `fleet`: the whole platform as several processes behind one gateway, on real stores. */
import { readFileSync } from 'node:fs';
import { ConfigError, loadConfig } from '@bandit/config';
import { createLogger, writeLines } from '@bandit/process';
import { announcement } from './announce.ts';
import { handleSignals } from './handle-signals.ts';
import { planProcesses } from './plan-processes.ts';
import { NotPreparedError, prepareForFleet } from './prepare-database.ts';
import { startFleet } from './start-fleet.ts';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};
const stores = {
  DATABASE_URL: 'several processes decide by one Postgres',
  NATS_URL: 'several processes hear of each other by NATS',
  REDIS_URL: 'several processes remember in one Redis',
};

try {
  const config = loadConfig(process.env, { stores });
  const stdout = writeLines(process.stdout);
  const stderr = writeLines(process.stderr);
  const log = createLogger(config.logLevel, undefined, stdout);
  const firstRun = await prepareForFleet(config, log.child({ process: 'fleet' }), () => Date.now());
  const trustedProxies = config.trustedProxies?.filter((proxy) => proxy !== 'unix');
  const fleet = await startFleet({
    plans: planProcesses({
      counts: config.instances,
      env: process.env,
      isAnyProxyTrusted: (trustedProxies ?? []).length > 0,
    }),
    host: config.host,
    port: config.port,
    version,
    log,
    writeLine: (line) => stdout.write(`${line}\n`),
    nowMs: () => Date.now(),
    monotonicMs: () => performance.now(),
    isProduction: config.isProduction,
    trustedProxies,
    rateLimitPerPeer: config.rateLimitPerPeer,
    corsOrigins: config.corsOrigins,
  });
  handleSignals(fleet, log.child({ process: 'fleet' }));
  if (await fleet.ready()) stderr.write(`${announcement(fleet.url, firstRun, config)}\n`);
} catch (error) {
  const isExpected = error instanceof ConfigError || error instanceof NotPreparedError;
  console.error(isExpected ? error.message : error);
  process.exit(1);
}
