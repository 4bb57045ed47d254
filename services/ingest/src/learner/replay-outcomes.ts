import { limits } from '@bandit/contracts';
import {
  type FactRow,
  findOutcomes,
  findPageEnd,
  type LearnerExperiment,
  type OpenedDatabase,
  type Outcome,
  type OutcomeStore,
  putOutcomes,
  type RewardRow,
  readFacts,
} from '@bandit/db';
import type { LearningSpec } from './fold-experiment.ts';
import { addReward, mapReward } from './map-reward.ts';
import { emptyOutcome } from './plan-slice.ts';

type Db = OpenedDatabase['db'];

export interface OutcomeReplay {
  readonly experiment: LearnerExperiment;
  readonly spec: LearningSpec;
  readonly store: OutcomeStore;
  /** Of the base. */
  readonly throughBatch: number;
}

/**
 * What a rebuild from a base needs beside the base's state: what each assignment that is still there had earned by then,
 * as later rewards change it. Told by the events alone, which are kept as long as their assignments; but the number of a
 * trial is known to nothing but the live row, and never changes.
 */
export async function replayOutcomes(
  db: Db,
  replay: OutcomeReplay,
  pause: () => Promise<void>,
): Promise<void> {
  const { experiment, throughBatch } = replay;
  const { partition } = experiment;
  for (let afterBatch = -1; afterBatch < throughBatch; ) {
    const pageEnd = await findPageEnd(db, partition, afterBatch, throughBatch, limits.rebuildPageFactsMax);
    const rows = await readFacts(db, { partition, afterBatch, throughBatch: pageEnd, experiment });
    await replayPage(db, replay, rows);
    afterBatch = pageEnd;
    await pause();
  }
}

async function replayPage(db: Db, { spec, store }: OutcomeReplay, rows: readonly FactRow[]): Promise<void> {
  const learned = rows.filter((row) => row.excepted === undefined);
  const trials = spec.keepsTrialNumbers ? learned.filter((row) => row.kind === 'trial') : [];
  const rewards = learned.filter((row) => row.kind === 'reward' && isOnKeptTrial(row)) as RewardRow[];
  const outcomes = new Map<string, Outcome>();
  const collect = (found: readonly Outcome[]) => {
    for (const outcome of found) outcomes.set(outcome.nonce, outcome);
  };
  collect(await findOutcomes(db, store, onePerNonce(rewards)));
  const numbered = await findOutcomes(db, { kind: 'live' }, trials);
  const numbers = new Map(numbered.map(({ nonce, trialNumber }) => [nonce, trialNumber]));
  for (const row of trials)
    outcomes.set(row.nonce, { ...emptyOutcome(row), trialNumber: numbers.get(row.nonce) });
  for (const row of rewards) {
    const before = outcomes.get(row.nonce) ?? emptyOutcome(row);
    const mapped = mapReward(spec.model, row.source, row.value);
    outcomes.set(row.nonce, addReward(before, row.source, mapped, row.receivedAtMs));
  }
  await putOutcomes(db, store, [...outcomes.values()]);
}

function isOnKeptTrial(row: RewardRow): boolean {
  return row.trialBatch !== undefined && !row.isTrialExcepted;
}

function onePerNonce(rows: readonly RewardRow[]): RewardRow[] {
  return [...new Map(rows.map((row) => [row.nonce, row])).values()];
}
