/** What a refresh reads of the recorded history, and how it swaps its result in. */
import { type Kysely, sql } from 'kysely';
import type { Database, Row } from '../../schema.ts';
import { addExceptions, type NewException, type NewState, putStates } from './commit-fold.ts';
import { type DaySums, replaceDaySums, toDaySums } from './day-sums.ts';
import type { ExperimentKey } from './learner-experiments.ts';

export interface PartitionStanding {
  readonly cursorBatch: number;
  readonly foldSeq: number;
}

/** @param isLocked holds the row until the transaction ends: no fold of the partition can be committed meanwhile */
export async function readStanding(
  db: Kysely<Database>,
  partition: number,
  isLocked: boolean,
): Promise<PartitionStanding> {
  const query = db
    .selectFrom('learner_partitions')
    .select(['cursor_batch', 'fold_seq'])
    .where('partition', '=', partition);
  const row = await (isLocked ? query.forUpdate() : query).executeTakeFirstOrThrow();
  return { cursorBatch: row.cursor_batch, foldSeq: row.fold_seq };
}

/** End of the next page of a partition's history after `afterBatch`: whole batches, about `factsMax` facts. */
export async function findPageEnd(
  db: Kysely<Database>,
  partition: number,
  afterBatch: number,
  throughBatch: number,
  factsMax: number,
): Promise<number> {
  const { rows } = await sql<{ batch: number }>`
    select batch from (
      select batch, sum(n_assignments + n_events) over (order by batch) as n_facts from fact_batches
      where partition = ${partition} and batch > ${afterBatch} and batch <= ${throughBatch}
      order by batch limit ${factsMax}
    ) b
    where n_facts >= ${factsMax} order by batch limit 1`.execute(db);
  return rows[0]?.batch ?? throughBatch;
}

/** What retention kept of the facts that it may drop, or an erasure of those it may make unreadable. */
export interface RebuildBase {
  /** Later batches are replayed. */
  readonly throughBatch: number;
  /** How often the experiment was sealed for an erasure. */
  readonly nSeals: number;
  /** The learner's state then; undefined when it had learned nothing. */
  readonly state: Uint8Array | undefined;
  /** Networks up to this one are in the state. */
  readonly lastSwap: number;
  readonly days: readonly DaySums[];
}

/** @returns undefined while nothing was dropped or erased: the whole history is there */
export async function findRebuildBase(
  db: Kysely<Database>,
  partition: number,
  { companyId, experimentId }: ExperimentKey,
): Promise<RebuildBase | undefined> {
  // One statement: a newer base must not come in between.
  const { rows } = await sql<{
    through_batch: number;
    n_seals: number | null;
    state: Buffer | null;
    last_swap: number | null;
    days: Row<'base_days'>[] | null;
  }>`
    select greatest(p.through_batch, b.through_batch) as through_batch, b.n_seals, b.state, b.last_swap, (
      select jsonb_agg(d) from base_days d where d.company_id = ${companyId} and d.experiment_id = ${experimentId}
    ) as days
    from (select 1) this
    left join partition_bases p on p.partition = ${partition}
    left join experiment_bases b on b.company_id = ${companyId} and b.experiment_id = ${experimentId}
    where coalesce(p.through_batch, b.through_batch) is not null`.execute(db);
  const row = rows[0];
  return (
    row && {
      throughBatch: row.through_batch,
      nSeals: row.n_seals ?? 0,
      state: row.state ?? undefined,
      lastSwap: row.last_swap ?? 0,
      days: (row.days ?? []).map(toDaySums),
    }
  );
}

export type BaseMark = Pick<RebuildBase, 'throughBatch' | 'nSeals'>;

/** Has another base been taken since this one? */
export async function isBaseMoved(
  db: Kysely<Database>,
  partition: number,
  key: ExperimentKey,
  begun: BaseMark | undefined,
): Promise<boolean> {
  const now = await findRebuildBase(db, partition, key);
  return now?.throughBatch !== begun?.throughBatch || now?.nSeals !== begun?.nSeals;
}

export interface RecordedFold {
  readonly seq: number;
  readonly throughBatch: number;
}

/** Recorded folds that end in (afterBatch, throughBatch], in order. */
export async function listFolds(
  db: Kysely<Database>,
  partition: number,
  afterBatch: number,
  throughBatch: number,
): Promise<RecordedFold[]> {
  const rows = await db
    .selectFrom('folds')
    .select(['seq', 'through_batch'])
    .where('partition', '=', partition)
    .where('through_batch', '>', afterBatch)
    .where('through_batch', '<=', throughBatch)
    .orderBy('seq')
    .execute();
  return rows.map((row) => ({ seq: row.seq, throughBatch: row.through_batch }));
}

export interface RecordedSwap {
  readonly seq: number;
  /** It applies before every fold of a higher number. */
  readonly afterFold: number;
}

export async function listSwaps(
  db: Kysely<Database>,
  { companyId, experimentId }: ExperimentKey,
  afterSeq: number,
): Promise<RecordedSwap[]> {
  const rows = await db
    .selectFrom('model_swaps')
    .select(['seq', 'after_fold'])
    .where('company_id', '=', companyId)
    .where('experiment_id', '=', experimentId)
    .where('seq', '>', afterSeq)
    .orderBy('seq')
    .execute();
  return rows.map((row) => ({ seq: row.seq, afterFold: row.after_fold }));
}

export async function loadSwapNetwork(
  db: Kysely<Database>,
  { companyId, experimentId }: ExperimentKey,
  seq: number,
): Promise<Uint8Array> {
  const row = await db
    .selectFrom('model_swaps')
    .select('network')
    .where('company_id', '=', companyId)
    .where('experiment_id', '=', experimentId)
    .where('seq', '=', seq)
    .executeTakeFirstOrThrow();
  return row.network;
}

export interface RebuiltExperiment {
  readonly partition: number;
  readonly token: string;
  /** `version` is set here: one more than what is stored. */
  readonly state: Omit<NewState, 'version'>;
  readonly days: readonly DaySums[];
  /** Facts that were learned before and cannot be now. */
  readonly exceptions: readonly NewException[];
}

/**
 * Swaps a rebuilt experiment in. Needs the lock of `readStanding`, and its transaction.
 *
 * @returns the new version of the state
 */
export async function swapRebuilt(trx: Kysely<Database>, rebuilt: RebuiltExperiment): Promise<number> {
  const { partition, token, state, days, exceptions } = rebuilt;
  const version = await nextVersion(trx, state);
  await putStates(trx, [{ ...state, version }]);
  await replaceDaySums(trx, state, days);
  await swapOutcomes(trx, state, token);
  await addExceptions(trx, partition, exceptions);
  // The fold number moves although nothing was folded: other processes drop what they hold decoded.
  await trx
    .updateTable('learner_partitions')
    .set((eb) => ({
      fold_seq: eb('fold_seq', '+', 1),
      n_learned: eb('n_learned', '-', exceptions.length),
      n_excepted: eb('n_excepted', '+', exceptions.length),
    }))
    .where('partition', '=', partition)
    .execute();
  return version;
}

async function nextVersion(
  trx: Kysely<Database>,
  { companyId, experimentId }: ExperimentKey,
): Promise<number> {
  const row = await trx
    .selectFrom('experiment_states')
    .select('version')
    .where('company_id', '=', companyId)
    .where('experiment_id', '=', experimentId)
    .executeTakeFirst();
  return (row?.version ?? 0) + 1;
}

const outcomeColumns = sql.raw(
  'company_id, nonce, experiment_id, trial_number, conversion_reward, funnel_reward, reward, first_rewarded_at',
);

/** Only what was found to differ, or was written since: after a history without manual changes, next to nothing. */
async function swapOutcomes(
  trx: Kysely<Database>,
  { companyId, experimentId }: ExperimentKey,
  token: string,
): Promise<void> {
  await sql`
    delete from assignment_outcomes
    where company_id = ${companyId} and experiment_id = ${experimentId}
      and nonce = any(array(select nonce from rebuild_outcomes where token = ${token} and is_gone))`.execute(
    trx,
  );
  await sql`
    insert into assignment_outcomes (${outcomeColumns})
    select ${outcomeColumns} from rebuild_outcomes where token = ${token} and differs and not is_gone
    on conflict (company_id, nonce) do update set trial_number = excluded.trial_number,
      conversion_reward = excluded.conversion_reward, funnel_reward = excluded.funnel_reward,
      reward = excluded.reward, first_rewarded_at = excluded.first_rewarded_at`.execute(trx);
}

const taught = (alias: string) =>
  sql.raw(
    `(${alias}.trial_number, ${alias}.conversion_reward, ${alias}.funnel_reward, ${alias}.reward, ${alias}.first_rewarded_at)`,
  );

/**
 * Compares one page of what was rebuilt with the live rows, and marks what differs. Without a lock: whatever is learned
 * after what was rebuilt so far is rebuilt, and so marked, before the swap.
 *
 * @param afterNonce empty for the first page
 * @returns the last nonce of the page; undefined when there is no further one
 */
export async function compareRebuilt(
  db: Kysely<Database>,
  { companyId, experimentId }: ExperimentKey,
  token: string,
  afterNonce: Uint8Array,
  rowsMax: number,
): Promise<Uint8Array | undefined> {
  const { rows } = await sql<{ nonce: Buffer; differs: boolean }>`
    with page as materialized (
      select * from rebuild_outcomes
      where token = ${token} and company_id = ${companyId} and nonce > ${afterNonce} order by nonce limit ${rowsMax}
    )
    select p.nonce, ${taught('o')} is distinct from ${taught('p')} as differs
    from page p left join lateral (
      select * from assignment_outcomes
      where company_id = ${companyId} and experiment_id = ${experimentId} and nonce = p.nonce offset 0
    ) o on true
    order by p.nonce`.execute(db);
  const differing = rows.filter((row) => row.differs).map((row) => row.nonce);
  if (differing.length > 0) {
    await sql`
      update rebuild_outcomes set differs = true
      where token = ${token} and company_id = ${companyId} and nonce = any(${differing}::bytea[])`.execute(
      db,
    );
  }
  return rows.at(-1)?.nonce;
}

/** Marks live rows of one page that the rebuild does not have. Parameters and result as of `compareRebuilt`. */
export async function markGone(
  db: Kysely<Database>,
  { companyId, experimentId }: ExperimentKey,
  token: string,
  afterNonce: Uint8Array,
  rowsMax: number,
): Promise<Uint8Array | undefined> {
  const { rows } = await sql<{ nonce: Buffer }>`
    with page as materialized (
      select nonce from assignment_outcomes
      where company_id = ${companyId} and experiment_id = ${experimentId} and nonce > ${afterNonce}
      order by nonce limit ${rowsMax}
    ), marked as (
      insert into rebuild_outcomes (token, company_id, experiment_id, nonce, is_gone)
      select ${token}, ${companyId}, ${experimentId}, nonce, true from page
      on conflict do nothing
    )
    select nonce from page order by nonce desc limit 1`.execute(db);
  return rows[0]?.nonce;
}

/** Drops what a rebuild collected aside. */
export async function dropRebuild(db: Kysely<Database>, token: string): Promise<void> {
  await db.deleteFrom('rebuild_outcomes').where('token', '=', token).execute();
}

/** Drops what rebuilds left that never ended: their process died. */
export async function dropAbandonedRebuilds(db: Kysely<Database>): Promise<void> {
  await sql`delete from rebuild_outcomes where written_at < clock_timestamp() - interval '1 day'`.execute(db);
}

/** What is served now, if the state it was made from is this very one; undefined when it differs. */
export async function findServingOfState(
  db: Kysely<Database>,
  { companyId, experimentId }: ExperimentKey,
  state: Uint8Array,
): Promise<Uint8Array | undefined> {
  const row = await db
    .selectFrom('experiment_states')
    .select('serving')
    .where('company_id', '=', companyId)
    .where('experiment_id', '=', experimentId)
    .where('state', '=', Buffer.from(state))
    .executeTakeFirst();
  return row?.serving;
}
