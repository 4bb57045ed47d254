/**
 * The one resolver: which assignment does a user's event, reward or erasure mean? Accept asks by treatment, funnels by
 * experiment.
 */
import { type Kysely, sql } from 'kysely';
import type { Database } from '../../schema.ts';
import { type StoredAssignment, type StoredAssignmentRow, toStoredAssignment } from './stored-assignment.ts';

export interface Triplet {
  readonly experimentId: string;
  readonly treatmentId: string;
  readonly userId: string;
}

const columns = sql`x.company_id, x.experiment_id, x.treatment_id, x.user_id, x.nonce, x.assigned_at, x.expires_at,
  x.propensity, x.confidence, x.state_version, x.mac_key_id`;

/**
 * The user's current assignment if it is of that treatment, else the latest one that is.
 *
 * @returns shape of `triplets`; undefined where the user never had that treatment
 */
export async function resolveAssignments(
  db: Kysely<Database>,
  companyId: string,
  triplets: readonly Triplet[],
): Promise<(StoredAssignment | undefined)[]> {
  const { rows } = await sql<StoredAssignmentRow & { place: number }>`
    select t.place, r.*
    from unnest(${triplets.map((t) => t.experimentId)}::text[], ${triplets.map((t) => t.treatmentId)}::text[],
      ${triplets.map((t) => t.userId)}::text[]) with ordinality t(experiment_id, treatment_id, user_id, place)
    cross join lateral (
      (select 0 as rank, ${columns} from current_assignments x
        where x.company_id = ${companyId} and x.experiment_id = t.experiment_id and x.user_id = t.user_id
          and x.treatment_id = t.treatment_id)
      union all
      (select 1 as rank, ${columns} from assignments x
        where x.company_id = ${companyId} and x.experiment_id = t.experiment_id and x.user_id = t.user_id
          and x.treatment_id = t.treatment_id
        order by x.assigned_at desc, x.nonce desc limit 1)
      order by rank limit 1
    ) r`.execute(db);
  const found: (StoredAssignment | undefined)[] = triplets.map(() => undefined);
  for (const row of rows) found[row.place - 1] = toStoredAssignment(row);
  return found;
}

/**
 * The user's latest assignment in each of the experiments that has one, in the order of `experimentIds`. Only
 * assignments of earlier transactions count: a fact written by this transaction must lie behind its assignment in the
 * log. (Whatever was answered before this transaction began is earlier.)
 */
export async function resolveLatestAssignments(
  db: Kysely<Database>,
  companyId: string,
  userId: string,
  experimentIds: readonly string[],
): Promise<StoredAssignment[]> {
  const { rows } = await sql<StoredAssignmentRow>`
    with this as materialized (select current_batch() as batch)
    select r.*
    from this, unnest(${[...experimentIds]}::text[]) with ordinality t(experiment_id, place)
    cross join lateral (
      select ${columns} from assignments x
      where x.company_id = ${companyId} and x.experiment_id = t.experiment_id and x.user_id = ${userId}
        and x.batch < this.batch
      order by x.assigned_at desc, x.nonce desc limit 1
    ) r
    order by t.place`.execute(db);
  return rows.map(toStoredAssignment);
}
