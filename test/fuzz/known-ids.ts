/**
 * Ids that exist in the platform under test, by what they name. Filled from what it answers, so that mutated requests
 * reach real rows; bounded, so that a long run keeps to the newest. A few ids are kept out: without them nobody could
 * sign in any more and every later request would be a 401.
 */
const keptMax = 30;
const form = /^(exp|trt|fnl|evt|key|mbr|asgn)_/;

export class KnownIds {
  readonly #byPrefix = new Map<string, string[]>();
  readonly #spared = new Set<string>();

  spare(id: string): void {
    this.#spared.add(id);
  }

  /** Takes every id out of an answer. */
  learn(value: unknown): void {
    if (typeof value === 'string') this.#add(value);
    else if (Array.isArray(value)) for (const item of value) this.learn(item);
    else if (typeof value === 'object' && value !== null) this.learn(Object.values(value));
  }

  /** @param choice any natural number */
  pick(prefix: string, choice: number): string {
    const ids = this.#byPrefix.get(prefix) ?? [];
    return ids[choice % Math.max(1, ids.length)] ?? `${prefix}_AAAAAAAAAAAAAAAAAAAAAA`;
  }

  #add(id: string): void {
    const prefix = form.exec(id)?.[1];
    if (prefix === undefined || this.#spared.has(id)) return;
    const ids = this.#byPrefix.get(prefix) ?? [];
    if (ids.includes(id)) return;
    this.#byPrefix.set(prefix, [...ids, id].slice(-keptMax));
  }
}
