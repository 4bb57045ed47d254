/**
 * Which end users were erased. The database decides that for whatever goes on record; this is for what is answered from
 * memory and from the shared cache.
 *
 * Holds the latest tombstones of all companies by keyed hash, written by the poll alone; requests read them. Modes: empty
 * until the first poll, then held. A crash loses nothing.
 */
import { type ErasedMessage, erasedMessageSchema, limits, type Subscription } from '@bandit/contracts';
import type { ErasedSubject } from '@bandit/db';
import { Value } from '@sinclair/typebox/value';
import { safeParse } from 'secure-json-parse';

export interface ErasedSubjectsDeps {
  /** Tombstones changed since, the latest first. */
  list(sinceMs: number, limit: number): Promise<ErasedSubject[]>;
  hashSubject(companyId: string, userId: string): Uint8Array;
  subscribe(handler: (payload: Uint8Array) => void): Promise<Subscription>;
  /** An erasure has just ended: what shared memory holds of the user has to go. Never rejects. */
  onErased(message: ErasedMessage): Promise<void>;
  /** Tombstones that were not held before. Never rejects. */
  onNew(isNew: (companyId: string, userId: string) => boolean, companyIds: readonly string[]): Promise<void>;
  pollMs: number;
  heldMax?: number;
}

export class ErasedSubjects {
  readonly #deps: ErasedSubjectsDeps;
  readonly #heldMax: number;
  readonly #erasedAtMs = new Map<string, number>();
  readonly #companies = new Set<string>();
  #changedMs = 0;
  #running: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #subscription: Promise<Subscription | undefined> | undefined;

  constructor(deps: ErasedSubjectsDeps) {
    this.#deps = deps;
    this.#heldMax = deps.heldMax ?? limits.erasedSubjectsHeldMax;
  }

  /** Was the user erased after this assignment was made, as far as is known? */
  isErased(companyId: string, userId: string, assignedAtMs: number): boolean {
    if (!this.#companies.has(companyId)) return false;
    const erasedAtMs = this.#erasedAtMs.get(this.#keyOf(companyId, userId));
    return erasedAtMs !== undefined && assignedAtMs <= erasedAtMs;
  }

  async start(): Promise<void> {
    this.#subscription = this.#deps.subscribe((payload) => void this.#hear(payload)).catch(() => undefined);
    this.#timer = setInterval(() => void this.poll(), this.#deps.pollMs).unref();
    await this.poll();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await (await this.#subscription)?.close();
    await this.#running;
  }

  /** Never rejects: without the database what is held stays. */
  poll(): Promise<void> {
    this.#running ??= this.#load()
      .catch(() => undefined)
      .finally(() => {
        this.#running = undefined;
      });
    return this.#running;
  }

  async #hear(payload: Uint8Array): Promise<void> {
    const message: unknown = safeParse(Buffer.from(payload).toString('utf8'));
    if (!Value.Check(erasedMessageSchema, message)) return;
    // A poll that runs may have read before the tombstone: one more.
    await this.#running;
    await this.poll();
    await this.#deps.onErased(message);
  }

  async #load(): Promise<void> {
    const isFirst = this.#changedMs === 0;
    const sinceMs = Math.max(0, this.#changedMs - limits.statePollOverlapMs);
    const listed = await this.#deps.list(sinceMs, this.#heldMax);
    const found = new Set<string>();
    for (const { companyId, subject, erasedAtMs, changedAtMs } of listed.toReversed()) {
      const key = `${companyId}/${Buffer.from(subject).toString('base64')}`;
      if (this.#erasedAtMs.get(key) === erasedAtMs) continue;
      this.#erasedAtMs.delete(key);
      this.#erasedAtMs.set(key, erasedAtMs);
      this.#companies.add(companyId);
      this.#changedMs = Math.max(this.#changedMs, changedAtMs);
      found.add(key);
    }
    this.#trim();
    if (isFirst || found.size === 0) return;
    const companyIds = [...new Set(listed.map(({ companyId }) => companyId))];
    await this.#deps.onNew((companyId, userId) => found.has(this.#keyOf(companyId, userId)), companyIds);
  }

  #trim(): void {
    for (const key of this.#erasedAtMs.keys()) {
      if (this.#erasedAtMs.size <= this.#heldMax) return;
      this.#erasedAtMs.delete(key);
    }
  }

  #keyOf(companyId: string, userId: string): string {
    return `${companyId}/${Buffer.from(this.#deps.hashSubject(companyId, userId)).toString('base64')}`;
  }
}
