import { openDatabase } from '@bandit/db';
import { openAssignmentIds } from '@bandit/process';
import pg from 'pg';
import { assignmentSecret } from './start-clusters.ts';

export interface AssignmentRow {
  readonly nonce: string;
  readonly experimentId: string;
  readonly treatmentId: string;
  readonly userId: string;
}

export interface EventRow {
  readonly id: string;
  readonly experimentId: string;
  readonly treatmentId: string;
  readonly userId: string;
  readonly nonce: string;
  readonly source: 'client' | 'funnel';
  readonly value: number;
}

/** Everything on record, read past the platform. */
export interface Tables {
  readonly assignments: readonly AssignmentRow[];
  readonly events: readonly EventRow[];
  /** Nonce of an assignment id, in hexadecimal. @throws when it does not verify */
  nonceOf(assignmentId: string): string;
}

export async function readTables(connectionString: string): Promise<Tables> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    const assignments = await client.query<AssignmentRow>(
      `select encode(nonce, 'hex') as nonce, experiment_id as "experimentId", treatment_id as "treatmentId",
        user_id as "userId" from assignments`,
    );
    const events = await client.query<EventRow>(
      `select id, experiment_id as "experimentId", treatment_id as "treatmentId", user_id as "userId",
        encode(assignment_nonce, 'hex') as nonce, source, value from events`,
    );
    const nonceOf = await readKeys(connectionString);
    return { assignments: assignments.rows, events: events.rows, nonceOf };
  } finally {
    await client.end();
  }
}

async function readKeys(connectionString: string): Promise<Tables['nonceOf']> {
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const opened = openDatabase({ connectionString, max: 1, log });
  try {
    const ids = openAssignmentIds({ db: opened.db, secret: assignmentSecret, nowMs: Date.now, log });
    await ids.load();
    return (assignmentId) => {
      const fields = ids.verify(assignmentId);
      if (fields === undefined) throw new Error(`${assignmentId} is not an id of this platform`);
      return Buffer.from(fields.nonce).toString('hex');
    };
  } finally {
    await opened.close();
  }
}
