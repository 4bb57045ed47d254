import { subjects } from '@bandit/contracts';
import { findApiKey, listCompanyVersions, loadCompanies } from '@bandit/db';
import { createDirectory, type Directory } from '@bandit/directory';
import type { ServicesContext } from './services-context.ts';

/** The live configuration of all companies, loaded and followed. */
export async function openDirectory({ store, bus, nowMs, log, owns }: ServicesContext): Promise<Directory> {
  const directory = createDirectory({
    loadVersions: () => listCompanyVersions(store.accept),
    loadCompanies: (companyIds) => loadCompanies(store.accept, companyIds),
    findApiKey: (keyId) => findApiKey(store.accept, keyId),
    subscribeConfig: (handler) => bus.subscribe(subjects.configAll, (_subject, payload) => handler(payload)),
    nowMs,
    log,
  });
  owns('directory', directory.close);
  await directory.start();
  return directory;
}
