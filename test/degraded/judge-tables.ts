import type { Test } from 'tap';
import type { Judgement } from './judge-round.ts';
import { untilTrue } from './moments.ts';
import type { Platform } from './open-platform.ts';
import { countEvents, type Facts, readFacts, readMetric, readStreams } from './readings.ts';
import { type Round, recoveryMs } from './run-round.ts';

/** What was answered against what is on record, learned and on EVENTS. @returns milliseconds until all are equal */
export async function judgeTables(t: Test, platform: Platform, judgement: Judgement): Promise<number> {
  const { round } = judgement;
  const { manager, stores } = platform;
  const readTotals = async () =>
    (await manager.manage('GET', `/experiments/${round.experimentId}/results`)).body.data.totals;
  let facts: Facts | undefined;
  const equalMs = await untilTrue(
    async () => {
      facts = await readFacts(stores, round.experimentId);
      const { trials, conversions } = await readTotals();
      const { nEvents, nRecords } = await readStreams(stores);
      const isLearned = trials === facts.nonces.length && conversions === facts.events.length;
      return isLearned && nRecords === 0 && nEvents === (await countEvents(stores));
    },
    recoveryMs,
    'learned, on EVENTS, and nothing left in RECORDS',
  ).catch((error: unknown) => {
    t.fail(String(error));
    return Number.NaN;
  });
  t.ok(round.drainedMs - round.backMs <= recoveryMs, 'the backlog is gone in time');
  if (facts !== undefined) judgeFacts(t, round, facts, platform.readNonce);
  const lag = await readMetric(platform.learner.url, 'bandit_learner_lag_seconds');
  t.ok(lag !== undefined && lag < 5, `the learner is ${lag} s behind`);
  return equalMs;
}

function judgeFacts(t: Test, round: Round, facts: Facts, readNonce: (id: string) => string): void {
  judgeAssignments(t, round, facts, readNonce);
  const events = round.report.entries.filter(({ kind }) => kind === 'event');
  const ids = new Set(facts.events.map(({ id }) => id));
  const lost = events.filter(({ status, eventId }) => status === 201 && !ids.has(eventId!));
  t.strictSame(lost.slice(0, 5), [], `${events.length} events: every one answered 201 is on record`);
  const about = facts.events.map(({ nonce }) => nonce);
  t.equal(new Set(about).size, about.length, 'each once');
  const refused = events.filter(({ status }) => status === 503);
  const odd = events.filter(({ status }) => status !== 201 && status !== 503);
  t.strictSame(odd.slice(0, 5), [], `${refused.length} of them were answered 503, and none otherwise`);
  t.ok(
    refused.every(({ retryAfter }) => retryAfter !== undefined),
    'and told when to come again',
  );
}

/** A user who was given two has the one on record that the database chose; everybody else's is there. */
function judgeAssignments(
  t: Test,
  { report }: Round,
  { nonces }: Facts,
  readNonce: (id: string) => string,
): void {
  const noncesOf = new Map<string, Set<string>>();
  for (const { assignmentId, userId, status, kind } of report.entries) {
    if (status !== 200 || assignmentId === undefined || userId === undefined || kind === 'event') continue;
    noncesOf.set(userId, (noncesOf.get(userId) ?? new Set()).add(readNonce(assignmentId)));
  }
  const stored = new Set(nonces);
  t.equal(stored.size, nonces.length, 'no assignment is there twice');
  const missing = [...noncesOf].filter(([, given]) => ![...given].some((nonce) => stored.has(nonce)));
  t.strictSame(missing.slice(0, 5), [], `what ${noncesOf.size} users were given is on record`);
  const answered = new Set([...noncesOf.values()].flatMap((given) => [...given]));
  const more = nonces.filter((nonce) => !answered.has(nonce)).length;
  t.comment(`${nonces.length} on record, ${more} of them never answered`);
}
