import { limits } from '@bandit/contracts';
import {
  type ErasedCounts,
  type ErasedUser,
  type OpenedDatabase,
  sweepClientMadeKeys,
  sweepUser,
  withEraser,
  writePseudonym,
} from '@bandit/db';

type Table = keyof typeof sweepUser;

export interface UserSweep {
  /** So far, over all sweeps. */
  readonly counts: ErasedCounts;
  table(table: Table): Promise<void>;
  /** Every table, and the identities that are hashes of the user. */
  all(): Promise<void>;
}

/** Takes the user out of the tables, page by page, each a transaction of its own. */
export function createSweep(
  db: OpenedDatabase['db'],
  user: ErasedUser,
  pseudonymSubject: Uint8Array,
): UserSweep {
  const rowsMax = limits.erasurePageRowsMax;
  const counts = { assignments: 0, currentAssignments: 0, events: 0, eventKeys: 0, funnelRewards: 0 };
  const sweepTable = async (table: Table): Promise<void> => {
    for (let nRows: number = rowsMax; nRows === rowsMax; ) {
      const page = await withEraser(db, user.companyId, async (trx) => {
        const swept = await sweepUser[table](trx, user, rowsMax);
        if (swept.nRows > 0) await writePseudonym(trx, user.companyId, pseudonymSubject);
        return swept;
      });
      nRows = page.nRows;
      counts[table] += page.nRows;
      counts.eventKeys += page.nKeys;
    }
  };
  const sweepHashes = async (): Promise<void> => {
    for (let after: readonly [string, string] | undefined = ['', '']; after !== undefined; ) {
      const from: readonly [string, string] = after;
      const page = await withEraser(db, user.companyId, (trx) =>
        sweepClientMadeKeys(trx, user, from, limits.erasureTreatmentsPerPageMax),
      );
      counts.eventKeys += page.nKeys;
      after = page.last;
    }
  };
  return {
    counts,
    table: sweepTable,
    all: async () => {
      for (const table of Object.keys(sweepUser) as Table[]) await sweepTable(table);
      await sweepHashes();
    },
  };
}
