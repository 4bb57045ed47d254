/**
 * Which companies to load again, and the one loop that loads them. Marks that arrive while a load runs make one more
 * load of that company, because the running one may have read before the change; marks before it share it. A load
 * that fails leaves its marks in place for the next `run`.
 */
export interface ReloadQueue {
  /** @param version what the company is known to have reached */
  mark(companyId: string, version: number): void;
  /** Loads until nothing is marked. Rejects with the first failed load; a call while one runs joins it. */
  run(): Promise<void>;
}

export interface ReloadQueueDeps {
  /** Loads these companies and swaps them in. */
  load(companyIds: readonly string[]): Promise<void>;
  /** Version held; undefined for a company that is not held. */
  findVersion(companyId: string): number | undefined;
  companiesPerLoadMax: number;
}

export function createReloadQueue({ load, findVersion, companiesPerLoadMax }: ReloadQueueDeps): ReloadQueue {
  const wanted = new Map<string, number>();
  let running: Promise<void> | undefined;

  const isBehind = (companyId: string, version: number) => (findVersion(companyId) ?? -1) < version;

  function takeNext(): Map<string, number> {
    const taken = new Map<string, number>();
    for (const [companyId, version] of wanted) {
      if (taken.size === companiesPerLoadMax) break;
      wanted.delete(companyId);
      if (isBehind(companyId, version)) taken.set(companyId, version);
    }
    return taken;
  }

  function mark(companyId: string, version: number): void {
    if (!isBehind(companyId, version)) return;
    wanted.set(companyId, Math.max(version, wanted.get(companyId) ?? -1));
  }

  async function loadAll(): Promise<void> {
    try {
      for (let next = takeNext(); next.size > 0; next = takeNext()) await loadTaken(next);
    } finally {
      // In the same turn as the last look: a mark made after it starts a new run.
      running = undefined;
    }
  }

  async function loadTaken(taken: ReadonlyMap<string, number>): Promise<void> {
    try {
      await load([...taken.keys()]);
    } catch (error) {
      for (const [companyId, version] of taken) mark(companyId, version);
      throw error;
    }
  }

  return {
    mark,
    run() {
      running ??= Promise.resolve().then(loadAll);
      return running;
    },
  };
}
