import { type Logger, pino } from 'pino';

/** JSON lines on stdout. Credentials and people never reach it: headers are not logged, and these paths are cut. */
export function createLogger(level: string): Logger {
  return pino({
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
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
  });
}
