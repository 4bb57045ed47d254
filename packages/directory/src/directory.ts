/**
 * The directory: every company's live configuration, held in memory by each process that serves the SDK.
 *
 * Holds one snapshot per company, swapped in whole. One loop writes it: `config.<company>` messages and a poll of the
 * versions mark companies, the loop loads the marked ones in set-based queries. Requests read it synchronously.
 * Modes: not ready (nothing full held yet) and ready, which it never leaves: while the database is away it keeps what
 * it has, says so once, and heals with the next poll that works. A crash loses nothing.
 */
import {
  type ApiKeySnapshot,
  type CompanySnapshot,
  configMessageSchema,
  type ExperimentSnapshot,
  limits,
  type Subscription,
  withDeadline,
} from '@bandit/contracts';
import { Value } from '@sinclair/typebox/value';
import { safeParse } from 'secure-json-parse';
import { createKeyLookup } from './key-lookup.ts';
import { createLiveCompanies } from './live-companies.ts';
import { createReloadQueue, type ReloadQueue } from './reload-queue.ts';

export interface DirectoryLog {
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
}

export interface DirectoryDeps {
  loadVersions(): Promise<ReadonlyArray<{ companyId: string; version: number }>>;
  /** Reads each company's version before its contents, so that a snapshot is never older than it says. */
  loadCompanies(companyIds: readonly string[]): Promise<readonly CompanySnapshot[]>;
  findApiKey(keyId: string): Promise<ApiKeySnapshot | undefined>;
  /** Subscribes to `config.*`. */
  subscribeConfig(handler: (payload: Uint8Array) => void): Promise<Subscription>;
  nowMs(): number;
  log: DirectoryLog;
  pollMs?: number;
}

export interface Directory {
  /** Subscribes, tries the first full load and starts the poll; a failed first load is tried again by the poll. */
  start(): Promise<void>;
  /** Stops listening and polling; a load that still runs only reads, and ends by its deadline. */
  close(): Promise<void>;
  /** True once a full snapshot of every company was held. */
  isReady(): boolean;
  /** One look at the versions and a reload of what is behind; also runs by itself every `pollMs`. Never rejects. */
  poll(): Promise<void>;
  /**
   * A look that starts after the call, shared by all who ask meanwhile: what was committed before the call is held
   * afterwards. For a refusal that would surprise whoever has just changed the configuration. Never rejects, and
   * waits no longer than `confirmTimeoutMs`.
   */
  confirm(): Promise<void>;
  findExperiment(companyId: string, experimentId: string): ExperimentSnapshot | undefined;
  experiments(): Iterable<ExperimentSnapshot>;
  /** The live key of that id; revoked and unknown ones are undefined, expired ones are not. */
  findKey(keyId: string): ApiKeySnapshot | undefined;
  /** As `findKey`, then one bounded look-up in the database. Rejects with STORE_UNAVAILABLE or OVERLOADED. */
  loadKey(keyId: string): Promise<ApiKeySnapshot | undefined>;
  /** @returns a function that removes the handler */
  onChange(handler: (companyId: string) => void): () => void;
}

export function createDirectory(deps: DirectoryDeps): Directory {
  return new LiveDirectory(deps);
}

// Public members are arrow functions: callers pass them on one by one.
class LiveDirectory implements Directory {
  readonly #deps: DirectoryDeps;
  readonly #live = createLiveCompanies();
  readonly #handlers = new Set<(companyId: string) => void>();
  readonly #lookUpKey: (keyId: string) => Promise<ApiKeySnapshot | undefined>;
  readonly #queue: ReloadQueue;
  #subscription: Subscription | undefined;
  #timer: NodeJS.Timeout | undefined;
  #polling: Promise<void> | undefined;
  #confirming: Promise<void> | undefined;
  #isReady = false;
  #isFailing = false;
  #isClosed = false;

  constructor(deps: DirectoryDeps) {
    this.#deps = deps;
    this.#lookUpKey = createKeyLookup(deps);
    this.#queue = createReloadQueue({
      load: (companyIds) => this.#loadAndApply(companyIds),
      findVersion: this.#live.findVersion,
      companiesPerLoadMax: limits.companiesPerLoadMax,
    });
  }

  start = async (): Promise<void> => {
    this.#subscription = await this.#deps.subscribeConfig((payload) => this.#onConfigMessage(payload));
    await this.poll();
    this.#schedulePoll();
  };

  close = async (): Promise<void> => {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#subscription?.close();
  };

  isReady = (): boolean => this.#isReady;

  poll = (): Promise<void> => {
    this.#polling ??= this.#guard(() => this.#refresh()).finally(() => {
      this.#polling = undefined;
    });
    return this.#polling;
  };

  confirm = (): Promise<void> => {
    // A look that runs already may have read before the change.
    this.#confirming ??= (this.#polling ?? Promise.resolve()).then(() => {
      this.#confirming = undefined;
      return this.poll();
    });
    const done = withDeadline(this.#confirming, limits.confirmTimeoutMs, 'confirming the configuration');
    return done.catch(() => undefined);
  };

  findExperiment = (companyId: string, experimentId: string) =>
    this.#live.findExperiment(companyId, experimentId);

  experiments = () => this.#live.experiments();

  findKey = (keyId: string) => this.#live.findKey(keyId);

  loadKey = async (keyId: string): Promise<ApiKeySnapshot | undefined> => {
    const held = this.#live.findKey(keyId);
    if (held) return held;
    const key = await this.#lookUpKey(keyId);
    // It exists but is not held: its company's message was missed, or has not come yet.
    if (key && !this.#live.findKey(keyId)) await this.poll();
    return key;
  };

  onChange = (handler: (companyId: string) => void): (() => void) => {
    this.#handlers.add(handler);
    return () => this.#handlers.delete(handler);
  };

  #onConfigMessage(payload: Uint8Array): void {
    const message: unknown = safeParse(Buffer.from(payload).toString('utf8'));
    if (this.#isClosed || !Value.Check(configMessageSchema, message)) return;
    this.#queue.mark(message.companyId, message.version);
    void this.#guard(() => this.#queue.run());
  }

  async #refresh(): Promise<void> {
    const loading = this.#deps.loadVersions();
    const versions = await withDeadline(
      loading,
      limits.configLoadTimeoutMs,
      'reading configuration versions',
    );
    for (const { companyId, version } of versions) this.#queue.mark(companyId, version);
    await this.#queue.run();
    this.#isReady = true;
  }

  async #loadAndApply(companyIds: readonly string[]): Promise<void> {
    const loading = this.#deps.loadCompanies(companyIds);
    const snapshots = await withDeadline(loading, limits.configLoadTimeoutMs, 'loading configuration');
    for (const snapshot of snapshots) {
      if (!this.#live.apply(snapshot)) continue;
      for (const handler of this.#handlers) handler(snapshot.companyId);
    }
  }

  /** Says once that the database is away, and once that it is back. */
  async #guard(work: () => Promise<void>): Promise<void> {
    const { log } = this.#deps;
    try {
      await work();
      if (this.#isFailing && !this.#isClosed) log.info({}, 'directory: configuration is loaded again');
      this.#isFailing = false;
    } catch (error) {
      if (!this.#isFailing && !this.#isClosed)
        log.warn({ err: error }, 'directory: cannot load configuration, keeping what is held');
      this.#isFailing = true;
    }
  }

  #schedulePoll(): void {
    if (this.#isClosed) return;
    const pollMs = this.#deps.pollMs ?? limits.configPollMs;
    this.#timer = setTimeout(() => void this.poll().finally(() => this.#schedulePoll()), pollMs);
  }
}
