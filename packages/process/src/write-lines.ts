import type { Writable } from 'node:stream';
import { limits } from '@bandit/contracts';

/**
 * Takes the log's lines to a stream whose reader may go away (a terminal that is closed, a supervisor that was killed):
 * the process goes on without. pino's own way to such a stdout tries again for ever, and the process hangs in it. A reader
 * that only hangs costs lines, not memory.
 */
export function writeLines(stream: Writable): { write(line: string): void } {
  stream.on('error', () => undefined);
  return {
    write: (line) => {
      if (stream.writableLength < limits.logBacklogBytesMax) stream.write(line);
    },
  };
}
