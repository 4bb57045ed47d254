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
import { createReloadQueue } from './reload-queue.ts';

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
  const { log, pollMs = limits.configPollMs } = deps;
  const live = createLiveCompanies();
  const handlers = new Set<(companyId: string) => void>();
  const lookUpKey = createKeyLookup(deps);
  const queue = createReloadQueue({
    load: loadAndApply,
    findVersion: live.findVersion,
    companiesPerLoadMax: limits.companiesPerLoadMax,
  });
  let subscription: Subscription | undefined;
  let timer: NodeJS.Timeout | undefined;
  let polling: Promise<void> | undefined;
  let isReady = false;
  let isFailing = false;
  let isClosed = false;

  async function loadAndApply(companyIds: readonly string[]): Promise<void> {
    const loading = deps.loadCompanies(companyIds);
    const snapshots = await withDeadline(loading, limits.configLoadTimeoutMs, 'loading configuration');
    for (const snapshot of snapshots) {
      if (!live.apply(snapshot)) continue;
      for (const handler of handlers) handler(snapshot.companyId);
    }
  }

  async function refresh(): Promise<void> {
    const versions = await withDeadline(
      deps.loadVersions(),
      limits.configLoadTimeoutMs,
      'reading configuration versions',
    );
    for (const { companyId, version } of versions) queue.mark(companyId, version);
    await queue.run();
    isReady = true;
  }

  /** Says once that the database is away, and once that it is back. */
  async function guard(work: () => Promise<void>): Promise<void> {
    try {
      await work();
      if (isFailing && !isClosed) log.info({}, 'directory: configuration is loaded again');
      isFailing = false;
    } catch (error) {
      if (!isFailing && !isClosed)
        log.warn({ err: error }, 'directory: cannot load configuration, keeping what is held');
      isFailing = true;
    }
  }

  function poll(): Promise<void> {
    polling ??= guard(refresh).finally(() => {
      polling = undefined;
    });
    return polling;
  }

  function schedulePoll(): void {
    if (isClosed) return;
    timer = setTimeout(() => void poll().finally(schedulePoll), pollMs);
  }

  function onConfigMessage(payload: Uint8Array): void {
    const message = safeParse(Buffer.from(payload).toString('utf8'));
    if (isClosed || !Value.Check(configMessageSchema, message)) return;
    queue.mark(message.companyId, message.version);
    void guard(() => queue.run());
  }

  /** A key that exists but is not held: its company changed and the message was missed, or has not come yet. */
  async function loadKey(keyId: string): Promise<ApiKeySnapshot | undefined> {
    const held = live.findKey(keyId);
    if (held) return held;
    const key = await lookUpKey(keyId);
    if (key && !live.findKey(keyId)) await poll();
    return key;
  }

  return {
    async start() {
      subscription = await deps.subscribeConfig(onConfigMessage);
      await poll();
      schedulePoll();
    },
    async close() {
      isClosed = true;
      clearTimeout(timer);
      await subscription?.close();
    },
    isReady: () => isReady,
    poll,
    findExperiment: live.findExperiment,
    experiments: live.experiments,
    findKey: live.findKey,
    loadKey,
    onChange(handler) {
      handlers.add(handler);
      return () => handlers.delete(handler);
    },
  };
}
