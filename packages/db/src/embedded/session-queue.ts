/**
 * Shares PGlite's one session among connections. A unit (a simple query, or an extended exchange through its Sync)
 * runs alone; once it leaves a transaction open, the connection owns the session until that transaction ends, and
 * the units of all others wait in arrival order. A connection that goes away in its transaction is rolled back.
 *
 * Units are never cut at message boundaries: two connections share the session's unnamed statement and its
 * skip-until-Sync after an error, so an interleaved Parse or a failure would reach into the other's exchange.
 */
import { encodeQuery, transactionStatusOf } from './wire-protocol.ts';

/** Runs protocol bytes on the session and returns the whole answer. Rejects only when the server itself is gone. */
export type RunProtocol = (bytes: Uint8Array) => Promise<Uint8Array>;

export interface SessionQueue {
  /** Resolves with the answer, or undefined when the connection left before its turn. */
  run(connection: number, bytes: Uint8Array): Promise<Uint8Array | undefined>;
  /** Drops what this connection still waits for and rolls its open transaction back. */
  leave(connection: number): void;
  /** Resolves when nothing runs; units that wait are dropped. */
  close(): Promise<void>;
}

/** @param onFatal called once when the session is lost; nothing runs afterwards */
export function createSessionQueue(
  runProtocol: RunProtocol,
  onFatal: (error: unknown) => void,
): SessionQueue {
  const units = createUnitLine();
  let owner: number | undefined;
  let isRunning = false;
  let idle: Promise<void> = Promise.resolve();
  let isDead = false;

  const runUnit = async (unit: WaitingUnit) => {
    const answer = await runProtocol(unit.bytes);
    owner = isInTransaction(answer) ? unit.connection : undefined;
    unit.resolve(answer);
  };
  const drain = async () => {
    try {
      for (let unit = units.take(owner); unit !== undefined && !isDead; unit = units.take(owner))
        await runUnit(unit);
    } catch (error) {
      isDead = true;
      onFatal(error);
    }
    isRunning = false;
  };
  const wake = () => {
    if (isRunning || isDead) return;
    isRunning = true;
    idle = drain();
  };
  const rollBack = (connection: number) => {
    units.pushFirst({ connection, bytes: encodeQuery('rollback'), resolve: () => undefined });
    wake();
  };

  return {
    run: (connection, bytes) => {
      const { promise, resolve } = Promise.withResolvers<Uint8Array | undefined>();
      units.push({ connection, bytes, resolve });
      wake();
      return promise;
    },
    leave: (connection) => {
      units.drop(connection);
      // A unit of it may be running and about to open a transaction: look again when it is done.
      const settle = () => owner === connection && rollBack(connection);
      if (isRunning) void idle.then(settle);
      else settle();
    },
    close: async () => {
      units.drop();
      await idle;
      if (owner !== undefined && !isDead) {
        rollBack(owner);
        await idle;
      }
      isDead = true;
    },
  };
}

/** @throws when there is no answer: a trap inside the server (its stack ran over), whose leavings cannot be trusted */
function isInTransaction(answer: Uint8Array): boolean {
  const status = transactionStatusOf(answer);
  if (status === undefined) throw new Error('the server ended a statement without an answer');
  return status !== 'idle';
}

interface WaitingUnit {
  readonly connection: number;
  readonly bytes: Uint8Array;
  readonly resolve: (answer: Uint8Array | undefined) => void;
}

/** Units in order of arrival. */
function createUnitLine() {
  let line: WaitingUnit[] = [];
  return {
    push: (unit: WaitingUnit) => {
      line.push(unit);
    },
    pushFirst: (unit: WaitingUnit) => {
      line.unshift(unit);
    },
    /** The first unit, or the first of this connection where one owns the session. */
    take: (owner: number | undefined): WaitingUnit | undefined => {
      const index = owner === undefined ? 0 : line.findIndex((unit) => unit.connection === owner);
      return index < 0 ? undefined : line.splice(index, 1)[0];
    },
    /** Drops the units of one connection, or all; who waits for them gets undefined. */
    drop: (connection?: number) => {
      const dropped = line.filter((unit) => connection === undefined || unit.connection === connection);
      line = line.filter((unit) => !dropped.includes(unit));
      for (const unit of dropped) unit.resolve(undefined);
    },
  };
}
