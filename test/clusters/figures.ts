import type { Operation } from './journal.ts';
import type { Outage } from './outages.ts';

export interface Figures {
  readonly what: string;
  /** Dead for so long, and whole again after. Milliseconds, all of them. */
  readonly downMs: number;
  readonly untilWholeMs: number;
  readonly nOperations: number;
  readonly assignP50Ms: number;
  readonly assignP99Ms: number;
  /** Longest time in which no assignment was answered 200, and no event 201. */
  readonly assignGapMs: number;
  readonly eventGapMs: number;
}

/** What clients saw from the kill until the node ran again. */
export function measureOutage(outage: Outage, operations: readonly Operation[]): Figures {
  const { what, killedMs, backMs, wholeMs } = outage;
  const during = operations.filter(({ endMs }) => endMs >= killedMs && endMs <= backMs);
  const assigns = during.filter(({ kind }) => kind === 'assign');
  const took = assigns.map(({ startMs, endMs }) => endMs - startMs).sort((a, b) => a - b);
  const events = during.filter(({ kind }) => kind === 'convert' || kind === 'batch item');
  const round = (ms: number): number => Math.round(ms * 10) / 10;
  return {
    what,
    downMs: round(backMs - killedMs),
    untilWholeMs: round(wholeMs - killedMs),
    nOperations: during.length,
    assignP50Ms: round(took[took.length >> 1] ?? 0),
    assignP99Ms: round(took[Math.floor(took.length * 0.99)] ?? 0),
    assignGapMs: round(longestGap(assigns, killedMs, backMs)),
    eventGapMs: round(longestGap(events, killedMs, backMs)),
  };
}

function longestGap(operations: readonly Operation[], fromMs: number, toMs: number): number {
  const ends = operations.filter(({ status }) => status === 200 || status === 201).map(({ endMs }) => endMs);
  const points = [fromMs, ...ends.sort((a, b) => a - b), toMs];
  return Math.max(...points.slice(1).map((at, i) => at - (points[i] as number)));
}
