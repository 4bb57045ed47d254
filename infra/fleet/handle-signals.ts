import { closeSync, openSync } from 'node:fs';
import type { Logger } from 'pino';
import type { Fleet } from './start-fleet.ts';

/**
 * SIGTERM and SIGINT stop the fleet in order, a second one ends its processes at once. SIGHUP replaces every process; when
 * it comes because the terminal was closed, it stops the fleet as well. An error that nobody caught stops it too.
 */
export function handleSignals(fleet: Fleet, log: Logger): void {
  const hadTerminal = hasTerminal();
  let isStopping = false;
  const stop = (reason: object, exitCode: number): void => {
    if (isStopping) {
      log.warn(reason, 'asked again: ending every process now');
      fleet.kill();
      process.exit(1);
    }
    isStopping = true;
    log.info(reason, 'stopping');
    fleet.stop().then(
      (failed) => process.exit(failed.length > 0 ? 1 : exitCode),
      (error: unknown) => {
        log.fatal({ err: error }, 'stopping failed');
        fleet.kill();
        process.exit(1);
      },
    );
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop({ signal }, 0));
  process.on('SIGHUP', () => {
    if (hadTerminal && !hasTerminal()) stop({ signal: 'SIGHUP' }, 0);
    else void fleet.roll();
  });
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (error: unknown) => {
      log.fatal({ err: error }, 'an error that nobody caught: stopping');
      stop({ event }, 1);
    });
  }
}

/** The terminal that this process was started from: it cannot be opened once it is closed. */
function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}
