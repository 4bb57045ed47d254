import closeWithGraceLibrary from 'close-with-grace';
import type { Logger } from 'pino';

const lastResortMs = 4_900;

/** SIGTERM, SIGINT and uncaught errors stop the platform in order; after that the process ends whatever happens. */
export function closeWithGrace(close: () => Promise<string[]>, log: Logger): void {
  closeWithGraceLibrary({ delay: lastResortMs, logger: false }, async ({ signal, err }) => {
    if (err) log.fatal({ err }, 'an error that nobody caught: stopping');
    else log.info({ signal }, 'stopping');
    const failed = await close();
    if (failed.length === 0) log.info({}, 'stopped');
    else process.exitCode = 1;
  });
}
