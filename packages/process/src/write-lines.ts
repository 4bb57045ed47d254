import type { Writable } from 'node:stream';

/**
 * Takes the log's lines to a stream whose reader may go away (a terminal that is closed): the process goes on without.
 * pino's own way to such a stdout tries again for ever, and the process hangs in it.
 */
export function writeLines(stream: Writable): { write(line: string): void } {
  stream.on('error', () => undefined);
  return { write: (line) => void stream.write(line) };
}
