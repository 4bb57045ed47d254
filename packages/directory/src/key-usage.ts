import { limits } from '@bandit/contracts';

export interface KeyUse {
  readonly companyId: string;
  readonly apiKeyId: string;
  readonly usedAtMs: number;
}

export interface KeyUsage {
  /** Remembers a use; returns at once. */
  note(companyId: string, apiKeyId: string): void;
  start(): void;
  /** Writes what is noted and stops. */
  close(): Promise<void>;
}

export interface KeyUsageDeps {
  readonly write: (uses: readonly KeyUse[]) => Promise<void>;
  readonly nowMs: () => number;
  readonly log: { warn(details: object, message: string): void };
  readonly intervalMs?: number;
}

/**
 * When each API key was last used, written at most once a minute. Holds the latest use of each key since the last write
 * (bounded; past it the oldest is forgotten). A crash loses at most a minute of these times and nothing else.
 */
export function createKeyUsage(deps: KeyUsageDeps): KeyUsage {
  const { write, nowMs, log, intervalMs = limits.keyLastUsedIntervalMs } = deps;
  let noted = new Map<string, KeyUse>();
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> | undefined;

  const flush = async (): Promise<void> => {
    const uses = [...noted.values()];
    noted = new Map();
    if (uses.length === 0) return;
    await write(uses).catch((error: unknown) =>
      log.warn({ err: error }, 'the last use of API keys was not written'),
    );
  };
  return {
    note: (companyId, apiKeyId) => {
      if (noted.size >= limits.unknownKeyCacheEntriesMax && !noted.has(apiKeyId)) {
        noted.delete(noted.keys().next().value as string);
      }
      noted.set(apiKeyId, { companyId, apiKeyId, usedAtMs: nowMs() });
    },
    start: () => {
      timer ??= setInterval(() => {
        writing = flush();
      }, intervalMs);
      timer.unref();
    },
    close: async () => {
      clearInterval(timer);
      await writing;
      await flush();
    },
  };
}
