import { type Bus, type NowMs, subjects } from '@bandit/contracts';
import { findApiKey, listCompanyVersions, loadCompanies, type OpenedDatabase } from '@bandit/db';
import { createDirectory, type Directory, type DirectoryLog } from '@bandit/directory';

export interface DirectoryParts {
  readonly db: OpenedDatabase['db'];
  readonly bus: Pick<Bus, 'subscribe'>;
  readonly nowMs: NowMs;
  readonly log: DirectoryLog;
}

/** The live configuration of all companies; loaded and followed from `start` on. */
export function openDirectory({ db, bus, nowMs, log }: DirectoryParts): Directory {
  return createDirectory({
    loadVersions: () => listCompanyVersions(db),
    loadCompanies: (companyIds) => loadCompanies(db, companyIds),
    findApiKey: (keyId) => findApiKey(db, keyId),
    subscribeConfig: (handler) => bus.subscribe(subjects.configAll, (_subject, payload) => handler(payload)),
    nowMs,
    log,
  });
}
