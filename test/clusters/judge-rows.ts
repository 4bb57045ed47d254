/** The journal against the tables: what was lost, what was doubled, and what contradicts an answer. */
import { type Operation, outcomeOf } from './journal.ts';
import type { EventRow, Tables } from './read-tables.ts';

export interface Verdicts {
  /** Answered ok, or 409, and not on record. */
  readonly lost: object[];
  /** On record, or answered ok, more often than once. */
  readonly doubled: object[];
  /** On record though it was refused, or otherwise than it was answered. */
  readonly wrong: object[];
  /** Never promised to be on record, and not on record. */
  readonly forgotten: object[];
}

/** @param mayBeForgotten an answer that said `x-recorded: false`, of a process that died before it could change that */
export function judgeRows(
  operations: readonly Operation[],
  tables: Tables,
  mayBeForgotten: (operation: Operation) => boolean,
): Verdicts {
  const verdicts: Verdicts = { lost: [], doubled: [], wrong: [], forgotten: [] };
  judgeAssignments(operations, tables, mayBeForgotten, verdicts);
  judgeEvents(operations, tables, verdicts);
  return verdicts;
}

function judgeAssignments(
  operations: readonly Operation[],
  tables: Tables,
  mayBeForgotten: (operation: Operation) => boolean,
  verdicts: Verdicts,
): void {
  const asked = Map.groupBy(
    operations.filter(({ kind }) => kind === 'assign'),
    userOf,
  );
  const rows = Map.groupBy(tables.assignments, ({ experimentId, userId }) => `${experimentId} ${userId}`);
  for (const [user, own] of asked) {
    const found = rows.get(user) ?? [];
    const answered = own.flatMap(({ assigned }) => (assigned === undefined ? [] : [assigned]));
    const ids = new Set(answered.map(({ assignmentId }) => assignmentId));
    const details = { user, answered, found };
    if (ids.size > 1 || found.length > 1) verdicts.doubled.push(details);
    else if (ids.size === 1 && found.length === 0) {
      const isPromised = own.some((one) => outcomeOf(one) === 'ok' && !mayBeForgotten(one));
      verdicts[isPromised ? 'lost' : 'forgotten'].push(details);
    } else if (ids.size === 1 && !isAnswered(answered[0]!, found[0]!, tables)) verdicts.wrong.push(details);
    else if (found.length > 0 && own.every((one) => outcomeOf(one) === 'fail')) verdicts.wrong.push(details);
  }
  for (const user of rows.keys()) if (!asked.has(user)) verdicts.wrong.push({ user, neverAsked: true });
}

function isAnswered(
  answered: NonNullable<Operation['assigned']>,
  row: Tables['assignments'][number],
  { nonceOf }: Tables,
): boolean {
  return row.nonce === nonceOf(answered.assignmentId) && row.treatmentId === answered.treatmentId;
}

function judgeEvents(operations: readonly Operation[], tables: Tables, verdicts: Verdicts): void {
  const asked = Map.groupBy(
    operations.filter(({ kind }) => kind !== 'assign'),
    (operation) =>
      operation.kind === 'reward' ? `reward ${userOf(operation)}` : tables.nonceOf(operation.id),
  );
  const rows = Map.groupBy(tables.events, (row) =>
    row.source === 'funnel' ? `reward ${row.experimentId} ${row.userId}` : row.nonce,
  );
  for (const [subject, own] of asked) judgeEvent(subject, own, rows.get(subject) ?? [], verdicts);
  for (const subject of rows.keys())
    if (!asked.has(subject)) verdicts.wrong.push({ subject, neverAsked: true });
}

function judgeEvent(
  subject: string,
  own: readonly Operation[],
  found: readonly EventRow[],
  verdicts: Verdicts,
): void {
  const details = { subject, own, found };
  const ok = own.filter((one) => outcomeOf(one) === 'ok');
  const repeated = own.filter((one) => outcomeOf(one) === 'repeated');
  const row = found[0];
  if (found.length > 1 || ok.length > 1) verdicts.doubled.push(details);
  else if (row === undefined) {
    if (ok.length + repeated.length > 0) verdicts.lost.push(details);
  } else if (own.every((one) => outcomeOf(one) === 'fail')) verdicts.wrong.push(details);
  else if (![...ok, ...repeated].every(({ eventId }) => eventId === undefined || eventId === row.id))
    verdicts.wrong.push(details);
  else if (ok.some(({ value }) => value !== row.value)) verdicts.wrong.push(details);
  else if (!repeated.every((one) => wasAskedBefore(one, own))) verdicts.wrong.push(details);
}

/** Made earlier: by another operation, which had begun before this one was answered. */
function wasAskedBefore(one: Operation, own: readonly Operation[]): boolean {
  return own.some(
    (other) => other !== one && ['ok', 'unknown'].includes(outcomeOf(other)) && other.startMs < one.endMs,
  );
}

function userOf({ experimentId, id }: Operation): string {
  return `${experimentId} ${id}`;
}
