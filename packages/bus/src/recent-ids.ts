export interface RecentIds {
  /** False when the id is among those remembered; else it is remembered from now on. */
  add(id: string): boolean;
}

/** The last `idsMax` different ids, to tell a repeat. */
export function createRecentIds(idsMax: number): RecentIds {
  const ids = new Set<string>();
  return {
    add: (id) => {
      if (ids.has(id)) return false;
      ids.add(id);
      // A Set iterates in order of insertion: its first value is the oldest id.
      if (ids.size > idsMax) ids.delete(ids.values().next().value as string);
      return true;
    },
  };
}
