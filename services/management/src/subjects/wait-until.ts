import { setTimeout } from 'node:timers/promises';
import { ApiError, limits } from '@bandit/contracts';
import { areWritersSettled, type OpenedDatabase, withEraser } from '@bandit/db';

/** @throws ApiError STORE_UNAVAILABLE when `isSo` does not hold within `erasureWaitMs` */
export async function waitUntil(isSo: () => Promise<boolean>, what: string): Promise<void> {
  const nLooks = Math.ceil(limits.erasureWaitMs / limits.erasurePollMs);
  for (let look = 0; look < nLooks; look++) {
    if (await isSo()) return;
    await setTimeout(limits.erasurePollMs);
  }
  throw new ApiError('STORE_UNAVAILABLE', `The erasure waits for ${what}; ask again and it goes on.`);
}

/** Until every transaction has ended that had begun to write when the one of `xid` was committed. */
export function waitForWriters(db: OpenedDatabase['db'], companyId: string, xid: string): Promise<void> {
  const isSettled = () => withEraser(db, companyId, (trx) => areWritersSettled(trx, xid));
  return waitUntil(isSettled, 'transactions that were writing when it began');
}
