/** What is kept about an end user, by table: rows either go or change to a pseudonym, a page in each call. */
import { type Kysely, sql } from 'kysely';
import type { Database } from '../../schema.ts';
import { assignmentEventKey, clientTrialNonce, funnelEventKey } from '../events/event-keys.ts';

export interface ErasedUser {
  readonly companyId: string;
  readonly userId: string;
  /** Takes the user's place. */
  readonly pseudonym: string;
  /** Facts on assignments of later are another subject's. */
  readonly until: Date;
}

export interface ErasedCounts {
  readonly assignments: number;
  readonly currentAssignments: number;
  readonly events: number;
  readonly eventKeys: number;
  readonly funnelRewards: number;
}

/**
 * One page of a user's rows in one table.
 *
 * @returns how many rows of the table, and of `event_keys`, went or changed; the page was the last one when `nRows` is
 *   below `rowsMax`
 */
export type Sweep = (
  trx: Kysely<Database>,
  user: ErasedUser,
  rowsMax: number,
) => Promise<{ nRows: number; nKeys: number }>;

/** In this order. */
export const sweepUser: Readonly<Record<Exclude<keyof ErasedCounts, 'eventKeys'>, Sweep>> = {
  currentAssignments: async (trx, { companyId, userId, until }, rowsMax) => {
    const { rows } = await sql<{ n: number }>`
      with gone as (
        delete from current_assignments c where c.company_id = ${companyId} and c.user_id = ${userId}
          and c.assigned_at <= ${until}
          and c.experiment_id = any(array(
            select experiment_id from current_assignments
            where company_id = ${companyId} and user_id = ${userId} and assigned_at <= ${until} limit ${rowsMax}))
        returning 1
      )
      select count(*) as n from gone`.execute(trx);
    return { nRows: rows[0]!.n, nKeys: 0 };
  },
  assignments: async (trx, { companyId, userId, pseudonym, until }, rowsMax) => {
    const { rows } = await sql<{ n: number }>`
      with page as materialized (
        select nonce, assigned_at from assignments
        where company_id = ${companyId} and user_id = ${userId} and assigned_at <= ${until}
        order by assigned_at limit ${rowsMax}
      ), changed as (
        update assignments a set user_id = ${pseudonym}, context = null, metadata = null from page p
        where a.company_id = ${companyId} and a.nonce = p.nonce and a.assigned_at = p.assigned_at
        returning a.nonce
      ), excepted as (
        update fact_exceptions set message = '' where company_id = ${companyId} and fact_kind = 'assignment'
          and fact_id = any(array(
            select 'evt_' || rtrim(translate(encode(nonce, 'base64'), '+/', '-_'), '=') from changed))
      )
      select count(*) as n from changed`.execute(trx);
    return { nRows: rows[0]!.n, nKeys: 0 };
  },
  events: async (trx, { companyId, userId, pseudonym, until }, rowsMax) => {
    const { rows } = await sql<{ id: string; funnel_id: string | null; experiment_id: string }>`
      with page as materialized (
        select id, received_at from events
        where company_id = ${companyId} and user_id = ${userId} and coalesce(assigned_at <= ${until}, true)
        limit ${rowsMax}
      )
      update events v set user_id = ${pseudonym}, metadata = '{}' from page p
      where v.company_id = ${companyId} and v.id = p.id and v.received_at = p.received_at
      returning v.id, v.funnel_id, v.experiment_id`.execute(trx);
    const eventIds = rows.map(({ id }) => id);
    await sql`
      update fact_exceptions set message = '' where company_id = ${companyId} and fact_kind = 'event'
        and fact_id = any(${eventIds}::text[])`.execute(trx);
    const keys = rows.flatMap(({ funnel_id: funnelId, experiment_id: experimentId }) =>
      funnelId === null ? [] : [funnelEventKey(funnelId, userId, experimentId)],
    );
    const nKeys =
      (await deleteKeys(trx, companyId, keys)) + (await deleteClientKeys(trx, companyId, eventIds));
    return { nRows: rows.length, nKeys };
  },
  funnelRewards: async (trx, { companyId, userId, pseudonym, until }, rowsMax) => {
    const { rows } = await sql<{ n: number }>`
      with changed as (
        update funnel_rewards r set user_id = ${pseudonym}
        where r.company_id = ${companyId} and r.user_id = ${userId} and r.created_at <= ${until}
          and r.funnel_id = any(array(
            select funnel_id from funnel_rewards
            where company_id = ${companyId} and user_id = ${userId} and created_at <= ${until} limit ${rowsMax}))
        returning 1
      )
      select count(*) as n from changed`.execute(trx);
    return { nRows: rows[0]!.n, nKeys: 0 };
  },
};

/**
 * Identities that are hashes of the user: of the client-made assignment of each treatment, whether its row is there or
 * was dropped by retention.
 *
 * @param after experiment and treatment of the page before; empty for the first
 * @returns where the page ended; undefined after the last
 */
export async function sweepClientMadeKeys(
  trx: Kysely<Database>,
  { companyId, userId }: Pick<ErasedUser, 'companyId' | 'userId'>,
  after: readonly [string, string],
  rowsMax: number,
): Promise<{ nKeys: number; last: readonly [string, string] | undefined }> {
  const { rows } = await sql<{ experiment_id: string; id: string }>`
    select experiment_id, id from treatments
    where company_id = ${companyId} and (experiment_id, id) > (${after[0]}, ${after[1]})
    order by experiment_id, id limit ${rowsMax}`.execute(trx);
  const nonces = rows.map((row) => clientTrialNonce(companyId, row.experiment_id, row.id, userId));
  const keys = nonces.flatMap((nonce) => eventTypes.map((type) => assignmentEventKey(nonce, type)));
  const eventIds = nonces.map((nonce) => `evt_${nonce.toString('base64url')}`);
  const nKeys = (await deleteClientKeys(trx, companyId, eventIds)) + (await deleteKeys(trx, companyId, keys));
  const end = rows.at(-1);
  return { nKeys, last: end && [end.experiment_id, end.id] };
}

const eventTypes = ['ASSIGNMENT', 'CONVERSION', 'CLICK', 'VIEW', 'CUSTOM'] as const;

async function deleteKeys(
  trx: Kysely<Database>,
  companyId: string,
  keys: readonly Uint8Array[],
): Promise<number> {
  if (keys.length === 0) return 0;
  const { numAffectedRows } = await sql`
    delete from event_keys where company_id = ${companyId} and key = any(${keys.map((key) => Buffer.from(key))}::bytea[])`.execute(
    trx,
  );
  return Number(numAffectedRows ?? 0n);
}

/** The client's own ids of these events. */
async function deleteClientKeys(
  trx: Kysely<Database>,
  companyId: string,
  eventIds: readonly string[],
): Promise<number> {
  if (eventIds.length === 0) return 0;
  const { numAffectedRows } = await sql`
    delete from event_keys where company_id = ${companyId} and get_byte(key, 0) = 2
      and event_id = any(${[...eventIds]}::text[])`.execute(trx);
  return Number(numAffectedRows ?? 0n);
}
