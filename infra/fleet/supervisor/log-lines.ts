import type { Readable } from 'node:stream';
import { limits } from '@bandit/contracts';

/** pino's levels: what a process writes without being asked for JSON is worth a look, on stderr more so. */
const stdoutLevel = 30;
const stderrLevel = 40;

/** Gives each line of a stream, the last one too when it has no end; one without an end is cut at a bound. */
export function readLines(stream: Readable, onLine: (line: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    while (rest.length > limits.instanceLogLineCharsMax) {
      lines.push(rest.slice(0, limits.instanceLogLineCharsMax));
      rest = rest.slice(limits.instanceLogLineCharsMax);
    }
    for (const line of lines) if (line !== '') onLine(line);
  });
  stream.on('end', () => {
    if (rest !== '') onLine(rest);
  });
  stream.on('error', () => undefined);
}

/** One line of the merged log: a process's JSON line with its name in it, anything else as the message of one. */
export function labelLine(name: string, line: string, stream: 'stdout' | 'stderr', nowMs: number): string {
  const fields = parseObject(line);
  if (fields === undefined) {
    const level = stream === 'stdout' ? stdoutLevel : stderrLevel;
    return JSON.stringify({ level, time: new Date(nowMs).toISOString(), process: name, msg: line });
  }
  if (fields.process !== undefined) return JSON.stringify({ ...fields, process: name });
  const isEmpty = Object.keys(fields).length === 0;
  return isEmpty
    ? JSON.stringify({ process: name })
    : `{"process":${JSON.stringify(name)},${line.trim().slice(1)}`;
}

function parseObject(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const parsed: unknown = JSON.parse(line);
    return typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
