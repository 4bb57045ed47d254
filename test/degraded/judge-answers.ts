import type { Test } from 'tap';
import { quantile } from './figures.ts';
import type { Phases } from './judge-round.ts';
import type { Entry } from './load-messages.ts';
import type { Round } from './run-round.ts';

/** p99 of assignments while a store is away (G3), unless the machine itself is slower than that. */
const promisedMs = 25;
const busyFactor = 3;
/**
 * RECORDS has 15 ms, and a busy machine takes longer: then the answer says so. Of two processes asked at the same moment
 * the one that lost the claim cannot know yet that RECORDS took the other's: it says so too.
 */
const toldShareMax = 0.5;
/** Users told so by both: no share of what RECORDS acknowledges. */
const toldByBothMax = 0.25;
/** The same of Postgres and its 250 ms. */
const toldWithoutReasonMax = 0.02;

/** How quick they were, what they said of being on record, and that no process called itself unready. */
export function judgeAnswers(t: Test, round: Round, phases: Phases, isDatabaseAway: boolean): void {
  const { entries } = round.report;
  const isMeanwhile = ({ kind, atMs }: Entry) =>
    kind === 'quiet' && atMs >= round.duringMs && atMs < round.endingMs;
  judgeSpeed(t, phases, entries.filter(isMeanwhile));
  judgeHeaders(t, isDatabaseAway, phases);
  const unready = entries.filter(({ kind, status }) => kind === 'ready' && status !== 200);
  t.strictSame(unready.slice(0, 5), [], 'every process stays ready');
}

/**
 * The machine's own slowness is what the healthy platform shows before and after, and a server that does nothing. Of the
 * time before, new users count alone as well: with Redis away everybody unknown to a process waits for a commit, as they do.
 */
function judgeSpeed(t: Test, { before, during, after }: Phases, quiet: readonly Entry[]): void {
  const p99 = quantile(during, 0.99);
  const newBefore = before.filter(({ kind }) => kind === 'new');
  const machine = [before, newBefore, after, quiet].map((entries) => quantile(entries, 0.99));
  const [p99Before, p99NewBefore, p99After, p99Quiet] = machine.map((ms) => ms.toFixed(1));
  t.ok(during.length > 100, `${during.length} assignments meanwhile`);
  t.ok(
    p99 <= Math.max(promisedMs, busyFactor * Math.max(...machine)),
    `p99 meanwhile: ${p99.toFixed(1)} ms; before ${p99Before}, new users before ${p99NewBefore}, after ${p99After}, a server that does nothing ${p99Quiet}`,
  );
}

function judgeHeaders(t: Test, isDatabaseAway: boolean, { before, during, after }: Phases): void {
  const told = (entries: readonly Entry[]) => entries.filter(({ recorded }) => recorded !== undefined).length;
  const figures = `${told(before)} before, ${told(during)} of ${during.length} meanwhile, ${told(after)} after`;
  const shareMax = isDatabaseAway ? toldShareMax : toldWithoutReasonMax;
  t.ok(told(during) <= shareMax * during.length, `x-recorded: false ${figures}`);
  const byBoth = countToldByBoth(during);
  if (isDatabaseAway)
    t.ok(byBoth.n <= toldByBothMax * byBoth.of, `of ${byBoth.of} new users ${byBoth.n} were told so by both`);
  const all = [...before, ...during, ...after];
  t.ok(all.every(({ recorded }) => recorded === undefined || recorded === 'false'));
}

function countToldByBoth(entries: readonly Entry[]): { readonly n: number; readonly of: number } {
  const nUntold = new Map<string, number>();
  for (const { kind, userId, recorded } of entries)
    if (kind === 'new') nUntold.set(userId!, (nUntold.get(userId!) ?? 0) + Number(recorded === undefined));
  return { n: [...nUntold.values()].filter((n) => n === 0).length, of: nUntold.size };
}
