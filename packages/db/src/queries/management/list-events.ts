import type { EventType } from '@bandit/contracts';
import { type Kysely, sql } from 'kysely';
import type { Database } from '../../schema.ts';
import {
  type StoredAssignment,
  type StoredAssignmentRow,
  toStoredAssignment,
} from '../events/stored-assignment.ts';

/** One line of an experiment's history: an assignment (type ASSIGNMENT) or an event. */
export interface ListedEvent {
  readonly id: string;
  readonly treatmentId: string;
  readonly userId: string;
  readonly eventType: EventType;
  readonly value: number | null;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly funnelId: string | undefined;
  /** Database clock. */
  readonly receivedAt: Date;
  /** Undefined when the event has none, or retention has dropped it. */
  readonly assignment: StoredAssignment | undefined;
}

export interface EventPage {
  readonly limit: number;
  readonly offset: number;
}

type NullableColumns = { readonly [Column in keyof StoredAssignmentRow]: StoredAssignmentRow[Column] | null };

/** The assignment's columns are null when there is none. */
interface ListedRow extends NullableColumns {
  readonly id: string;
  readonly at: Date;
  readonly listed_treatment: string;
  readonly listed_user: string;
  readonly event_type: EventType;
  readonly value: number | null;
  readonly metadata: Record<string, unknown> | null;
  readonly funnel_id: string | null;
}

/**
 * Assignments and events of one experiment, newest receipt first, ties by id. Each of the two is read from the end of
 * its index, `limit + offset` rows deep, and the two are merged: what lies behind the page is never read.
 */
export async function listEvents(
  trx: Kysely<Database>,
  companyId: string,
  experimentId: string,
  page: EventPage,
): Promise<ListedEvent[]> {
  const depth = page.limit + page.offset;
  // An assignment's event id is its nonce in base64url (eventIdOfAssignment).
  const { rows } = await sql<ListedRow>`
    with page as (
      (select 'evt_' || rtrim(translate(encode(nonce, 'base64'), '+/', '-_'), '=') collate "C" as id, recorded_at as at,
          treatment_id, user_id, 'ASSIGNMENT' as event_type, value, metadata, null as funnel_id, nonce, assigned_at
        from assignments
        where company_id = ${companyId} and experiment_id = ${experimentId}
        order by recorded_at desc, id desc limit ${depth})
      union all
      (select id collate "C", received_at, treatment_id, user_id, event_type, value, metadata, funnel_id,
          assignment_nonce, assigned_at
        from events
        where company_id = ${companyId} and experiment_id = ${experimentId}
        order by received_at desc, id collate "C" desc limit ${depth})
      order by at desc, id desc limit ${page.limit} offset ${page.offset}
    )
    select p.id, p.at, p.treatment_id as listed_treatment, p.user_id as listed_user, p.event_type, p.value, p.metadata,
      p.funnel_id, x.company_id, x.experiment_id, x.treatment_id, x.user_id, x.nonce, x.assigned_at, x.expires_at,
      x.propensity, x.confidence, x.state_version, x.mac_key_id
    from page p
    left join assignments x
      on x.company_id = ${companyId} and x.nonce = p.nonce and x.assigned_at = p.assigned_at
    order by p.at desc, p.id desc`.execute(trx);
  return rows.map(toListedEvent);
}

function toListedEvent(row: ListedRow): ListedEvent {
  return {
    id: row.id,
    treatmentId: row.listed_treatment,
    userId: row.listed_user,
    eventType: row.event_type,
    value: row.value,
    metadata: row.metadata ?? {},
    funnelId: row.funnel_id ?? undefined,
    receivedAt: row.at,
    assignment: row.nonce === null ? undefined : toStoredAssignment(row as StoredAssignmentRow),
  };
}
