import type { EventType } from '@bandit/contracts';
import { type Kysely, sql } from 'kysely';
import type { Database } from '../../schema.ts';

/** What an item needs of its assignment. */
export interface AcceptAssignment {
  readonly nonce: Uint8Array;
  /** undefined for a client-made trial that is being made: its instant is the database's. */
  readonly assignedAtMs: number | undefined;
  /** Of an id that proved itself: enough to insert the assignment where it never reached the database. */
  readonly signed:
    | {
        readonly expiresAtMs: number;
        readonly propensity: number | undefined;
        readonly confidence: number;
        readonly stateVersion: number;
      }
    | undefined;
}

/**
 * One event on its way in. `kind`: `event` becomes a row of `events`; `trial` is a client's ASSIGNMENT event, whose row
 * is the client-made assignment itself; `restore` stores nothing but the assignment of its id (always a duplicate).
 */
export interface AcceptItem {
  readonly kind: 'event' | 'trial' | 'restore';
  readonly companyId: string;
  readonly experimentId: string;
  readonly treatmentId: string;
  readonly partition: number;
  readonly userId: string;
  /** Keyed hash of company and user id, for nothing is stored of erased users. Left out: nobody looks. */
  readonly subject?: Uint8Array;
  /** The same in each run of the statement: it tells a repeat of this item from another's duplicate. */
  readonly eventId: string;
  readonly eventType: EventType;
  readonly value: number | undefined;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly occurredAtMs: number | undefined;
  /** Identities that must all be free, or its own. The first must be held by no other item under the same event id. */
  readonly keys: readonly Uint8Array[];
  /** Identity of the client-made trial to make with this event, unless it is there already. */
  readonly trialKey: Uint8Array | undefined;
  readonly trialEventId: string | undefined;
  readonly assignment: AcceptAssignment | undefined;
  readonly macKeyId: string;
}

export interface AcceptVerdict {
  /** True: stored, now or by an earlier run of the same item. */
  readonly isWon: boolean;
  /** The item's own event id, or that of the event which holds one of its identities. */
  readonly eventId: string;
  /** Receive time of that event, database clock. */
  readonly receivedAtMs: number;
  /** When its assignment was made; undefined without one. */
  readonly assignedAtMs: number | undefined;
  /** True: its user was erased, nothing is stored and the rest tells nothing. */
  readonly isErased: boolean;
}

interface VerdictRow {
  item: number;
  is_won: boolean;
  event_id: string;
  received_at: Date;
  assigned_at: Date | null;
  is_erased: boolean;
}

/**
 * Stores many requests' events in one statement and one transaction; see migrations 0005-accept and 0011-erasure.
 *
 * @param items pairwise without common `keys`, and no `trialKey` among another's keys or trial keys
 * @returns shape of `items`
 */
export async function acceptEvents(
  db: Kysely<Database>,
  items: readonly AcceptItem[],
): Promise<AcceptVerdict[]> {
  const input = JSON.stringify(items.map(toInput));
  const { rows } = await sql<VerdictRow>`select * from accept_events_v2(${input}::jsonb)`.execute(db);
  const verdicts = new Array<AcceptVerdict>(items.length);
  for (const row of rows) {
    verdicts[row.item] = {
      isWon: row.is_won,
      eventId: row.event_id,
      receivedAtMs: row.received_at.getTime(),
      assignedAtMs: row.assigned_at?.getTime(),
      isErased: row.is_erased,
    };
  }
  return verdicts;
}

/** Names are the columns of the type accept_item; what is left out is null. */
function toInput(item: AcceptItem, index: number) {
  const signed = item.assignment?.signed;
  return {
    item: index,
    kind: item.kind,
    company_id: item.companyId,
    experiment_id: item.experimentId,
    treatment_id: item.treatmentId,
    partition: item.partition,
    user_id: item.userId,
    subject: item.subject && toHex(item.subject),
    event_id: item.eventId,
    event_type: item.eventType,
    value: item.value,
    metadata: item.metadata,
    occurred_ms: item.occurredAtMs,
    keys: item.keys.map(toHex),
    trial_key: item.trialKey && toHex(item.trialKey),
    trial_event_id: item.trialEventId,
    nonce: item.assignment && toHex(item.assignment.nonce),
    is_signed: signed !== undefined,
    assigned_ms: item.assignment?.assignedAtMs,
    expires_ms: signed?.expiresAtMs,
    propensity: signed?.propensity,
    confidence: signed?.confidence,
    state_version: signed?.stateVersion,
    mac_key_id: item.macKeyId,
  };
}

function toHex(bytes: Uint8Array): string {
  return `\\x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')}`;
}
