import { describeError, traceFields } from '@bandit/http';
import { type DestinationStream, type Logger, pino } from 'pino';

/**
 * JSON lines on stdout, with the trace that they belong to. Credentials and people never reach it: headers are not
 * logged, errors are described without values, and these paths are cut.
 *
 * @param process stands on every line; undefined where there is one process alone
 * @param destination `writeLines` of stdout: pino's own hangs for ever, on exit too, when nobody reads the pipe any more
 */
export function createLogger(
  level: string,
  process: string | undefined,
  destination: DestinationStream,
): Logger {
  const options = {
    level,
    base: process === undefined ? null : { process },
    timestamp: pino.stdTimeFunctions.isoTime,
    // A fresh object each time: pino writes the line's own fields into it.
    mixin: () => ({ ...traceFields() }),
    serializers: { err: describeError },
    redact: [
      'req.headers',
      'headers',
      '*.authorization',
      '*.cookie',
      '*.email',
      '*.password',
      '*.secret',
      '*.key',
    ],
  };
  return pino(options, destination);
}
