import type { Test } from 'tap';
import type { Platform } from './open-platform.ts';
import type { Round } from './run-round.ts';

export interface Twice {
  readonly users: ReadonlySet<string>;
  /** By when they were first asked for: first wave, meanwhile, return. */
  readonly byPhase: readonly [number, number, number];
}

/** Known users keep what they have, and new ones get one treatment over both processes. @returns those who got two */
export function judgeTreatments(t: Test, round: Round, nExcused: number): Twice {
  const seen = new Map(
    round.report.known.map(({ userId, assignmentId }) => [userId, firstSeen(0, assignmentId)]),
  );
  for (const { kind, userId, atMs, assignmentId, status } of round.report.entries) {
    if (status !== 200 || userId === undefined || (kind !== 'new' && kind !== 'known')) continue;
    const known = seen.get(userId) ?? firstSeen(atMs, assignmentId!);
    known.ids.add(assignmentId!);
    seen.set(userId, { firstMs: Math.min(known.firstMs, atMs), ids: known.ids });
  }
  const twice = [...seen].filter(([, { ids }]) => ids.size > 1);
  const count = (fromMs: number, toMs: number) =>
    twice.filter(([, { firstMs }]) => firstMs >= fromMs && firstMs < toMs).length;
  const known = count(0, round.beforeMs);
  const away = count(round.duringMs, round.endingMs);
  const healthy = count(round.beforeMs, round.failedMs) + count(round.afterMs, Number.POSITIVE_INFINITY);
  const figures = `${known} known, ${away} first asked for meanwhile, ${healthy} before or after, ${nExcused} excused`;
  t.ok(known + away + healthy <= nExcused, `of ${seen.size} users were given two treatments: ${figures}`);
  return {
    users: new Set(twice.map(([userId]) => userId)),
    byPhase: [count(round.failedMs, round.duringMs), away, count(round.endingMs, round.afterMs)],
  };
}

const firstSeen = (firstMs: number, assignmentId: string) => ({ firstMs, ids: new Set([assignmentId]) });

const recheckAtOnce = 8;

/** Users first asked for while the store was away have the same afterwards, at every process. */
export async function recheck(
  t: Test,
  { assignments, clientOf }: Platform,
  round: Round,
  twice: Pick<Twice, 'users'>,
): Promise<void> {
  const given = new Map<string, string>();
  for (const { kind, userId, atMs, assignmentId, status } of round.report.entries) {
    const isOne = kind === 'new' && status === 200 && !twice.users.has(userId!);
    if (isOne && atMs >= round.duringMs && atMs < round.endingMs) given.set(userId!, assignmentId!);
  }
  const moved: string[] = [];
  const waiting = [...given];
  const { experimentId } = round;
  const work = async () => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const [userId, assignmentId] = next;
      for (const started of assignments) {
        const again = await clientOf(started).track('POST', '/assignments', { experimentId, userId });
        if (again.body.data?.assignmentId !== assignmentId) moved.push(`${userId}: ${again.status}`);
      }
    }
  };
  await Promise.all(Array.from({ length: recheckAtOnce }, work));
  t.strictSame(
    moved.slice(0, 5),
    [],
    `${given.size} users first asked for meanwhile have the same afterwards`,
  );
}
