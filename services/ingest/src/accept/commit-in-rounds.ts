import type { AcceptItem, AcceptVerdict } from '@bandit/db';

/**
 * Commits items of which some want the same identity, as if they had come one after the other: each round takes the
 * items whose identities no earlier waiting item wants, the others wait for its outcome. Identical repeats need one
 * round more; the worst case (a chain in which each earlier item loses to an older event) one round an item.
 *
 * @param commit stores items that have no identity in common; results in their order
 * @param verdictOf the verdict in such a result; undefined when that item failed
 * @param lose the result of an item that lost to `winner`
 * @returns shape of `items`
 */
export async function commitInRounds<Result>(
  items: readonly AcceptItem[],
  commit: (items: readonly AcceptItem[]) => Promise<readonly Result[]>,
  verdictOf: (result: Result) => AcceptVerdict | undefined,
  lose: (winner: AcceptVerdict) => Result,
): Promise<Result[]> {
  const results = new Array<Result>(items.length);
  let waiting = items.map((item, index) => ({ index, item, keys: keysOf(item) }));
  while (waiting.length > 0) {
    const { leaders, followers } = splitByKeys(waiting);
    const committed = await commit(leaders.map((leader) => leader.item));
    const taken = new Map<string, AcceptVerdict>();
    leaders.forEach((leader, place) => {
      const result = committed[place] as Result;
      results[leader.index] = result;
      noteTaken(taken, leader, verdictOf(result));
    });
    waiting = followers.filter((follower) => {
      const winner = findWinner(taken, follower);
      if (winner !== undefined) results[follower.index] = lose(winner);
      return winner === undefined;
    });
  }
  return results;
}

interface Waiting {
  readonly index: number;
  readonly item: AcceptItem;
  readonly keys: ItemKeys;
}

/** As text, so that they can be compared; with the company in front. */
interface ItemKeys {
  readonly own: readonly string[];
  readonly trial: string | undefined;
  /** All own keys as one: an item that lost takes others with the very same keys along. */
  readonly all: string;
}

function keysOf(item: AcceptItem): ItemKeys {
  const toText = (key: Uint8Array) => `${item.companyId}\0${Buffer.from(key).toString('latin1')}`;
  const own = item.keys.map(toText);
  return { own, trial: item.trialKey && toText(item.trialKey), all: own.join('\0\0') };
}

function splitByKeys(waiting: readonly Waiting[]): { leaders: Waiting[]; followers: Waiting[] } {
  const wanted = new Set<string>();
  const leaders: Waiting[] = [];
  const followers: Waiting[] = [];
  for (const one of waiting) {
    const keys = one.keys.trial === undefined ? one.keys.own : [...one.keys.own, one.keys.trial];
    (keys.some((key) => wanted.has(key)) ? followers : leaders).push(one);
    // A follower's too: a later item must not overtake it.
    for (const key of keys) wanted.add(key);
  }
  return { leaders, followers };
}

function noteTaken(taken: Map<string, AcceptVerdict>, leader: Waiting, verdict: AcceptVerdict | undefined) {
  if (verdict === undefined) return;
  if (!verdict.isWon) {
    taken.set(leader.keys.all, verdict);
    return;
  }
  for (const key of leader.keys.own) taken.set(key, verdict);
  const { trialEventId } = leader.item;
  if (leader.keys.trial !== undefined && trialEventId !== undefined)
    taken.set(leader.keys.trial, { ...verdict, eventId: trialEventId });
}

function findWinner(taken: ReadonlyMap<string, AcceptVerdict>, follower: Waiting): AcceptVerdict | undefined {
  for (const key of [...follower.keys.own, follower.keys.all]) {
    const winner = taken.get(key);
    if (winner !== undefined) return winner;
  }
  return undefined;
}
