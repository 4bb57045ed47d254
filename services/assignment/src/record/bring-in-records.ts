import { createHash } from 'node:crypto';
import type { AssignmentIdCodec } from '@bandit/auth';
import type { RecordHandler } from '@bandit/contracts';
import type { NewAssignment } from '@bandit/db';
import type { LateOutcome } from './bring-in.ts';
import { hex } from './commit-group.ts';
import type { LateCounts } from './late-counts.ts';
import { readStoredRecord } from './record-message.ts';
import type { Recorder } from './recorder.ts';

export interface RecordsHandlerDeps {
  ids: Pick<AssignmentIdCodec, 'verify'>;
  recorder: Pick<Recorder, 'bringIn' | 'findRecorded'> & { readonly counts: LateCounts };
  /** The database has decided about a record, of whichever process. */
  onDecided(row: NewAssignment, outcome: LateOutcome): void;
  log: { error(details: object, message: string): void };
}

/**
 * Takes a group of records out of RECORDS into the database. What can never be brought in is logged and done with.
 * Rejects when the database is away: then the group comes again, and what went in already is recognised.
 */
export function createRecordsHandler(deps: RecordsHandlerDeps): RecordHandler {
  const { ids, recorder, onDecided } = deps;
  const counts = recorder.counts.fromRecords;
  return async (payloads) => {
    const rows: NewAssignment[] = [];
    const nameless: Array<{ recordHash: string; reason: string }> = [];
    for (const payload of payloads) {
      const read = readStoredRecord(ids, payload);
      if (typeof read === 'string') nameless.push({ recordHash: hashOf(payload), reason: read });
      else rows.push(read);
    }
    // Most are: the process that answered lives and has brought in its own. Asking is cheaper than trying.
    const recorded = rows.length > 0 ? await recorder.findRecorded(rows) : new Set<string>();
    const missing = rows.filter(({ nonce }) => !recorded.has(hex(nonce)));
    const outcomes = missing.length > 0 ? await recorder.bringIn(missing) : [];
    counts.recorded += rows.length - missing.length;
    for (const [i, row] of missing.entries()) {
      const outcome = outcomes[i]!;
      counts[outcome.kind]++;
      if (outcome.kind === 'refused') refuse(deps, { recordId: hex(row.nonce), err: outcome.error });
      try {
        onDecided(row, outcome);
      } catch (error) {
        // It is on record all the same: the next process to be asked reads it there.
        deps.log.error({ err: error, recordId: hex(row.nonce) }, 'a record could not be remembered');
      }
    }
    counts.refused += nameless.length;
    for (const details of nameless) refuse(deps, details);
  };
}

function refuse({ log }: RecordsHandlerDeps, details: object): void {
  log.error(details, 'a record of RECORDS can never be brought in');
}

/** Names a record that carries no id to be believed. */
const hashOf = (payload: Uint8Array) => createHash('sha256').update(payload).digest('hex');
