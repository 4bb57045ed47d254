import { setTimeout as delay } from 'node:timers/promises';
import { limits, type NowMs } from '@bandit/contracts';
import type { Rng } from '@bandit/core';
import { Agent } from 'undici';
import { type AiSettings, createProvider } from './providers/create-provider.ts';
import { createVariantWriter, type VariantWriter } from './providers/create-variant-writer.ts';

/** What generate-variant needs beyond the other routes. */
export interface AiDeps {
  readonly writer: VariantWriter;
  /** Draws strategies and spreads retries. */
  readonly rng: Rng;
}

export interface AiConnection extends AiDeps {
  /** Ends the connections; call it after the routes are closed. */
  close(): Promise<void>;
}

/** A provider with connections of its own, bounded and without redirects. It connects when it is first asked. */
export function connectAi(deps: { settings: AiSettings; rng: Rng; nowMs: NowMs }): AiConnection {
  const dispatcher = new Agent({
    connections: limits.aiConnectionsMax,
    connect: { timeout: limits.aiTimeoutMs },
  });
  const writer = createVariantWriter({
    provider: createProvider(deps.settings),
    dispatcher,
    rng: deps.rng,
    nowMs: deps.nowMs,
    wait: (milliseconds, signal) => delay(milliseconds, undefined, { signal }),
  });
  return { writer, rng: deps.rng, close: () => dispatcher.destroy() };
}
