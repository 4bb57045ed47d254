import { type ApiKeyGuard, createApiKeyGuard } from '@bandit/auth';
import type { NowMs } from '@bandit/contracts';
import { type OpenedDatabase, touchApiKeys } from '@bandit/db';
import { createKeyUsage, type Directory } from '@bandit/directory';
import type { Logger } from 'pino';

export interface KeyParts {
  readonly db: OpenedDatabase['db'];
  readonly directory: Directory;
  readonly nowMs: NowMs;
  readonly log: Logger;
  readonly owns: (name: string, close: () => unknown) => void;
}

/** API keys, by the directory; notes when each was used last. */
export function openKeys({ db, directory, nowMs, log, owns }: KeyParts): ApiKeyGuard {
  const usage = createKeyUsage({ write: (uses) => touchApiKeys(db, uses), nowMs, log });
  usage.start();
  owns('key usage', usage.close);
  const { findKey, loadKey } = directory;
  return createApiKeyGuard({ findKey, loadKey, nowMs, onUsed: usage.note });
}
