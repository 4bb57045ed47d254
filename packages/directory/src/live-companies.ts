import type { ApiKeySnapshot, CompanySnapshot, ExperimentSnapshot } from '@bandit/contracts';
import { keepUnchanged } from './keep-unchanged.ts';

interface LiveCompany {
  readonly version: number;
  readonly experiments: ReadonlyMap<string, ExperimentSnapshot>;
  readonly keyIds: readonly string[];
}

/** Every company's newest snapshot, indexed for the two look-ups of a request. */
export interface LiveCompanies {
  /**
   * Swaps a company in if `snapshot` is not older than what is held.
   * @returns true when it was swapped in
   */
  apply(snapshot: CompanySnapshot): boolean;
  /** undefined: the company is not held. */
  findVersion(companyId: string): number | undefined;
  findExperiment(companyId: string, experimentId: string): ExperimentSnapshot | undefined;
  findKey(keyId: string): ApiKeySnapshot | undefined;
  experiments(): Iterable<ExperimentSnapshot>;
}

export function createLiveCompanies(): LiveCompanies {
  const companies = new Map<string, LiveCompany>();
  const keys = new Map<string, ApiKeySnapshot>();

  function swapKeys(before: LiveCompany | undefined, snapshot: CompanySnapshot): void {
    for (const keyId of before?.keyIds ?? []) keys.delete(keyId);
    for (const key of snapshot.apiKeys) keys.set(key.keyId, key);
  }

  return {
    apply(snapshot) {
      const before = companies.get(snapshot.companyId);
      if (before && snapshot.version < before.version) return false;
      companies.set(snapshot.companyId, {
        version: snapshot.version,
        experiments: keepUnchanged(before?.experiments, snapshot.experiments),
        keyIds: snapshot.apiKeys.map((key) => key.keyId),
      });
      swapKeys(before, snapshot);
      return true;
    },
    findVersion: (companyId) => companies.get(companyId)?.version,
    findExperiment: (companyId, experimentId) => companies.get(companyId)?.experiments.get(experimentId),
    findKey: (keyId) => keys.get(keyId),
    *experiments() {
      for (const company of companies.values()) yield* company.experiments.values();
    },
  };
}
