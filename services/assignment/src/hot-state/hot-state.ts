/**
 * Hot state: the newest learned state of every experiment, ready to choose with.
 *
 * Holds per experiment the encoded serving state and the policy prepared from it. Written by `state.<experiment>`
 * messages and by a poll that heals what they missed; both are absolute and versioned, only newer versions apply.
 * Read by requests, synchronously. Small states are held from the start; large ones (contextual) are fetched on first
 * use and let go when memory is short and nobody used them between two polls. While the database is away what is held
 * is served. A crash loses nothing: the states live in the database.
 */
import {
  type ExperimentSnapshot,
  limits,
  type StateMessage,
  type Subscription,
  withDeadline,
} from '@bandit/contracts';
import { parseStateMessage } from './parse-state-message.ts';
import { prepareExperimentPolicy } from './prepare-policy.ts';
import {
  applyState,
  createStateEntry,
  dropState,
  type PreparedPolicy,
  type StateEntry,
} from './state-entry.ts';

export interface HotStateLog {
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
}

export interface HotStateDeps {
  /** States written since a moment (database milliseconds); those above `servingBytesMax` by name only. */
  listServingStates(
    sinceMs: number,
    servingBytesMax: number,
  ): Promise<
    ReadonlyArray<{
      companyId: string;
      experimentId: string;
      version: number;
      serving: Uint8Array | undefined;
      updatedAtMs: number;
    }>
  >;
  loadServingState(
    companyId: string,
    experimentId: string,
  ): Promise<{ version: number; serving: Uint8Array } | undefined>;
  /** Subscribes to `state.*`. */
  subscribeState(handler: (payload: Uint8Array) => void): Promise<Subscription>;
  /** True while no request should wait for the database: then what is held is served. */
  isDatabaseAway?(): boolean;
  nowMs(): number;
  log: HotStateLog;
  pollMs?: number;
  bytesMax?: number;
}

export interface HotState {
  /** Subscribes, tries the first load and starts the poll; a failed first load is tried again by the poll. */
  start(): Promise<void>;
  close(): Promise<void>;
  /** True once the states of all experiments were listed. */
  isReady(): boolean;
  /** Heals what messages missed; also runs by itself every `pollMs`. Never rejects. */
  poll(): Promise<void>;
  /** The policy to choose with now; undefined when its state must be fetched first. */
  findPolicy(experiment: ExperimentSnapshot): PreparedPolicy | undefined;
  /** As `findPolicy`, fetching the state if need be; where that fails, what is held, else weights. Never rejects. */
  loadPolicy(experiment: ExperimentSnapshot): Promise<PreparedPolicy>;
}

export function createHotState(deps: HotStateDeps): HotState {
  return new LiveHotState(deps);
}

class LiveHotState implements HotState {
  readonly #deps: HotStateDeps;
  readonly #pollMs: number;
  readonly #entries = new Map<string, StateEntry>();
  #nBytes = 0;
  #newestMs = Number.NEGATIVE_INFINITY;
  #isReady = false;
  #isFailing = false;
  #isClosed = false;
  #subscription: Subscription | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(deps: HotStateDeps) {
    this.#deps = deps;
    this.#pollMs = deps.pollMs ?? limits.statePollMs;
  }

  async start(): Promise<void> {
    this.#subscription = await this.#deps.subscribeState((payload) => this.#onStateMessage(payload));
    await this.poll();
    this.#schedulePoll();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#subscription?.close();
  }

  isReady(): boolean {
    return this.#isReady;
  }

  async poll(): Promise<void> {
    const { log } = this.#deps;
    try {
      await this.#refresh();
      if (this.#isFailing && !this.#isClosed) log.info({}, 'hot state: learned states are loaded again');
      this.#isFailing = false;
    } catch (error) {
      if (!this.#isFailing && !this.#isClosed)
        log.warn({ err: error }, 'hot state: cannot list learned states, serving what is held');
      this.#isFailing = true;
    }
  }

  findPolicy(experiment: ExperimentSnapshot): PreparedPolicy | undefined {
    const entry = this.#entryOf(experiment.id);
    entry.isUsed = true;
    return this.#mustFetch(entry) ? undefined : this.#prepare(experiment, entry);
  }

  async loadPolicy(experiment: ExperimentSnapshot): Promise<PreparedPolicy> {
    const entry = this.#entryOf(experiment.id);
    if (this.#mustFetch(entry)) await this.#fetchState(experiment.companyId, experiment.id);
    return this.#prepare(experiment, entry);
  }

  #entryOf(experimentId: string): StateEntry {
    let entry = this.#entries.get(experimentId);
    if (!entry) {
      entry = createStateEntry();
      this.#entries.set(experimentId, entry);
    }
    return entry;
  }

  #mustFetch(entry: StateEntry): boolean {
    const isMissing = entry.serving === undefined && entry.knownVersion > 0;
    if (!isMissing || entry.retryAtMs > this.#deps.nowMs()) return false;
    return this.#deps.isDatabaseAway?.() !== true;
  }

  /** Prepared once per (state version, configuration of the experiment), then looked up. */
  #prepare(experiment: ExperimentSnapshot, entry: StateEntry): PreparedPolicy {
    const { memo } = entry;
    if (memo && memo.experiment === experiment && memo.version === entry.version) return memo.prepared;
    const prepared = this.#prepareOrFallBack(experiment, entry);
    entry.memo = { experiment, version: entry.version, prepared };
    return prepared;
  }

  #prepareOrFallBack(experiment: ExperimentSnapshot, entry: StateEntry): PreparedPolicy {
    try {
      return { policy: prepareExperimentPolicy(experiment, entry.serving), stateVersion: entry.version };
    } catch (error) {
      const details = { err: error, experimentId: experiment.id, version: entry.version };
      this.#deps.log.error(details, 'hot state: a learned state cannot be served from');
      const before = entry.memo?.experiment === experiment ? entry.memo.prepared : undefined;
      return before ?? { policy: prepareExperimentPolicy(experiment, undefined), stateVersion: 0 };
    }
  }

  #onStateMessage(payload: Uint8Array): void {
    const message = this.#isClosed ? undefined : parseStateMessage(payload);
    if (!message) return;
    this.#hear(message, message.serving === undefined ? undefined : Buffer.from(message.serving, 'base64'));
  }

  /** A newer version exists: taken in when it came along, fetched when the experiment is in use here. */
  #hear(of: Omit<StateMessage, 'serving'>, serving: Uint8Array | undefined): void {
    const { companyId, experimentId, version } = of;
    const entry = this.#entryOf(experimentId);
    if (version <= entry.version) return;
    entry.knownVersion = Math.max(entry.knownVersion, version);
    const isHot = entry.serving !== undefined;
    if (serving && (isHot || serving.byteLength <= limits.eagerServingBytesMax)) {
      this.#nBytes += applyState(entry, version, serving);
    } else if (isHot) {
      void this.#fetchState(companyId, experimentId);
    }
  }

  /** One fetch at a time per experiment; its failure is remembered until the next poll. */
  #fetchState(companyId: string, experimentId: string): Promise<void> {
    const entry = this.#entryOf(experimentId);
    entry.loading ??= this.#fetchInto(entry, companyId, experimentId).finally(() => {
      entry.loading = undefined;
    });
    return entry.loading;
  }

  async #fetchInto(entry: StateEntry, companyId: string, experimentId: string): Promise<void> {
    try {
      // Again when a newer version was heard of meanwhile, as long as that brings something.
      let before: number;
      do {
        before = entry.version;
        const loading = this.#deps.loadServingState(companyId, experimentId);
        const state = await withDeadline(loading, limits.stateLoadTimeoutMs, 'loading a serving state');
        if (state) this.#nBytes += applyState(entry, state.version, state.serving);
      } while (entry.version < entry.knownVersion && entry.version > before);
      entry.retryAtMs = entry.version < entry.knownVersion ? this.#deps.nowMs() + this.#pollMs : 0;
    } catch (error) {
      entry.retryAtMs = this.#deps.nowMs() + this.#pollMs;
      this.#deps.log.warn({ err: error, experimentId }, 'hot state: a state could not be fetched');
    }
  }

  async #refresh(): Promise<void> {
    const sinceMs = Math.max(0, this.#newestMs - limits.statePollOverlapMs);
    const listing = this.#deps.listServingStates(sinceMs, limits.eagerServingBytesMax);
    const rows = await withDeadline(listing, limits.configLoadTimeoutMs, 'listing learned states');
    for (const row of rows) {
      this.#hear(row, row.serving);
      this.#newestMs = Math.max(this.#newestMs, row.updatedAtMs);
    }
    this.#isReady = true;
    this.#letGoOfUnused();
  }

  #letGoOfUnused(): void {
    const bytesMax = this.#deps.bytesMax ?? limits.hotStateBytesMax;
    for (const entry of this.#entries.values()) {
      if (this.#nBytes > bytesMax && !entry.isUsed) this.#nBytes -= dropState(entry);
      entry.isUsed = false;
    }
  }

  #schedulePoll(): void {
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => void this.poll().finally(() => this.#schedulePoll()), this.#pollMs);
  }
}
