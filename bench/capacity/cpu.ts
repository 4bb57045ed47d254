import { readdirSync, readFileSync } from 'node:fs';

/** Of /proc/<pid>/stat: 100 a second on every Linux that Node runs on. */
const ticksPerSecond = 100;

/** Processor seconds, user and system, of a process, of the children that it has waited for, and of those that live. */
export function readCpuSeconds(pid: number): number {
  const own = readFields(pid);
  if (own === undefined) return 0;
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => readFields(Number(name)))
    .filter((fields) => fields?.[1] === String(pid));
  // After the name: utime, stime, and the same of children that have ended.
  const ticksOf = (fields: readonly string[] = [], from: number, to: number): number =>
    fields.slice(from, to).reduce((sum, ticks) => sum + Number(ticks), 0);
  const living = children.reduce((sum, fields) => sum + ticksOf(fields, 11, 13), 0);
  return (ticksOf(own, 11, 15) + living) / ticksPerSecond;
}

/** State, parent, …: what stands behind the name, which is in brackets and may hold anything. */
function readFields(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}
