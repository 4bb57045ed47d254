/**
 * The two things the embedded server must know of Postgres' wire protocol (version 3, "Message Formats"): where a
 * client message ends, and after which ones the server answers, so that everything up to there runs as one piece.
 */

import { limits } from '@bandit/contracts';

const messageBytesMax = limits.embeddedMessageBytesMax;

const sslRequest = 80877103;
const gssRequest = 80877104;
const cancelRequest = 80877102;

export type ClientUnit =
  /** StartupMessage, or the requests that may come in its place. */
  | { readonly kind: 'startup' | 'encryption' | 'cancel' }
  /** One simple query, or an extended exchange through its Sync. */
  | { readonly kind: 'query'; readonly bytes: Uint8Array }
  | { readonly kind: 'terminate' };

export interface UnitReader {
  /** Whole units that `chunk` completed, in order. @throws on a message longer than limits.embeddedMessageBytesMax */
  read(chunk: Uint8Array): ClientUnit[];
}

/** Cuts a client's byte stream into units. One reader a connection. */
export function createUnitReader(): UnitReader {
  let pending: Buffer = Buffer.alloc(0);
  /** Bytes of `pending` known to be whole messages of the unit that is still open. */
  let scanned = 0;
  let isStarted = false;

  const readStartup = (): ClientUnit | undefined => {
    if (pending.length < 8) return undefined;
    const length = checkedLength(pending.readInt32BE(0), 8);
    if (pending.length < length) return undefined;
    const code = pending.readInt32BE(4);
    pending = pending.subarray(length);
    if (code === sslRequest || code === gssRequest) return { kind: 'encryption' };
    if (code === cancelRequest) return { kind: 'cancel' };
    isStarted = true;
    return { kind: 'startup' };
  };
  const readUnit = (): ClientUnit | undefined => {
    while (pending.length >= scanned + 5) {
      const type = String.fromCharCode(pending[scanned] as number);
      const end = scanned + 1 + checkedLength(pending.readInt32BE(scanned + 1), 4);
      if (pending.length < end) return undefined;
      scanned = end;
      if (type === 'X') return { kind: 'terminate' };
      if (!endsUnit.has(type)) continue;
      const bytes = new Uint8Array(pending.subarray(0, end));
      pending = pending.subarray(end);
      scanned = 0;
      return { kind: 'query', bytes };
    }
    return undefined;
  };

  return {
    read: (chunk) => {
      pending = pending.length === 0 ? Buffer.from(chunk) : Buffer.concat([pending, chunk]);
      if (pending.length > 2 * messageBytesMax) throw tooLong(pending.length);
      const units: ClientUnit[] = [];
      for (;;) {
        const unit = isStarted ? readUnit() : readStartup();
        if (unit === undefined) return units;
        units.push(unit);
        if (unit.kind === 'terminate') return units;
      }
    },
  };
}

/** Query, Sync, FunctionCall: the server answers them with ReadyForQuery. (PGlite knows no COPY from the client.) */
const endsUnit = new Set(['Q', 'S', 'F']);

function checkedLength(length: number, minimum: number): number {
  if (length < minimum || length > messageBytesMax) throw tooLong(length);
  return length;
}

function tooLong(length: number): Error {
  return new Error(`a client message may have ${messageBytesMax} bytes at most, got ${length}`);
}

export type TransactionStatus = 'idle' | 'open' | 'failed';

/** Status in the last ReadyForQuery of an answer (its last message), or undefined when it does not end with one. */
export function transactionStatusOf(answer: Uint8Array): TransactionStatus | undefined {
  const start = answer.length - 6;
  if (start < 0 || answer[start] !== 0x5a || answer[start + 4] !== 5) return undefined;
  const status = answer[start + 5];
  if (status === 0x49) return 'idle';
  if (status === 0x54) return 'open';
  return status === 0x45 ? 'failed' : undefined;
}

/** A simple Query message. */
export function encodeQuery(text: string): Uint8Array {
  const body = Buffer.from(`${text}\0`, 'utf8');
  const message = Buffer.alloc(5 + body.length);
  message.write('Q', 0, 'latin1');
  message.writeInt32BE(4 + body.length, 1);
  body.copy(message, 5);
  return message;
}

/** A StartupMessage for this user and database. */
export function encodeStartup(user: string, database: string): Uint8Array {
  const body = Buffer.from(`user\0${user}\0database\0${database}\0\0`, 'utf8');
  const message = Buffer.alloc(8 + body.length);
  message.writeInt32BE(message.length, 0);
  message.writeInt32BE(196_608, 4);
  body.copy(message, 8);
  return message;
}
