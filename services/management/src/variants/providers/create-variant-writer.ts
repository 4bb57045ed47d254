/**
 * Asks one provider for a variant, within one deadline: a call that fails for now is repeated once, after the wait the
 * provider asked for; a refused output schema is asked for again in the fallback shape.
 *
 * Holds one thing in memory: the shape that this provider takes. It starts as `structured` and moves once, to `fallback`,
 * after the provider refused the first and answered the second; a restart asks anew.
 */
import { limits } from '@bandit/contracts';
import type { Rng } from '@bandit/core';
import { parseJson } from '@bandit/http';
import type { Dispatcher } from 'undici';
import { postJson } from './post-json.ts';
import { ProviderFailure } from './provider-failure.ts';
import type { AnswerShape, VariantPrompt, VariantProvider } from './variant-provider.ts';

export interface VariantWriter {
  readonly providerName: string;
  readonly model: string;
  /**
   * @param accept turns the model's answer into a result, or throws a ProviderFailure
   * @param stop ends the call at once
   * @throws ProviderFailure; the reason of `stop` when it was aborted
   */
  write<T>(prompt: VariantPrompt, accept: (answer: unknown) => T, stop: AbortSignal): Promise<T>;
}

export interface WriterDeps {
  readonly provider: VariantProvider;
  /** The connections to use; whoever made it closes it. */
  readonly dispatcher: Dispatcher;
  readonly rng: Rng;
  readonly nowMs: () => number;
  /** Resolves after so many milliseconds; rejects with the signal's reason when that comes first. */
  readonly wait: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  /** Deadline of one `write`, the repeat included; `limits.aiTimeoutMs` unless a test cannot wait. */
  readonly timeoutMs?: number;
}

export function createVariantWriter(deps: WriterDeps): VariantWriter {
  const { provider, rng, nowMs, wait, timeoutMs = limits.aiTimeoutMs } = deps;
  let shape: AnswerShape = 'structured';

  async function ask(prompt: VariantPrompt, as: AnswerShape, signal: AbortSignal): Promise<unknown> {
    const text = await postJson(deps.dispatcher, {
      url: provider.url,
      headers: provider.headers,
      body: provider.body(prompt, as),
      signal,
      nowMs: nowMs(),
    });
    const answer = provider.findAnswer(parseResponse(text));
    if (answer === undefined) throw new ProviderFailure('answer-unusable', { isRetryable: true });
    return answer;
  }

  async function askInKnownShape(prompt: VariantPrompt, signal: AbortSignal): Promise<unknown> {
    try {
      return await ask(prompt, shape, signal);
    } catch (error) {
      if (shape === 'fallback' || !mayBeRefusedShape(error)) throw error;
    }
    const answer = await ask(prompt, 'fallback', signal);
    shape = 'fallback';
    return answer;
  }

  return {
    providerName: provider.name,
    model: provider.model,
    async write(prompt, accept, stop) {
      const deadlineMs = nowMs() + timeoutMs;
      const deadline = AbortSignal.timeout(timeoutMs);
      const signal = AbortSignal.any([stop, deadline]);
      for (let nRetries = 0; ; nRetries++) {
        try {
          return accept(await askInKnownShape(prompt, signal));
        } catch (error) {
          const failure = atDeadline(error, stop, deadline);
          const delayMs = retryDelayMs(failure, rng);
          if (delayMs === undefined || nRetries >= limits.aiRetriesMax) throw failure;
          if (nowMs() + delayMs >= deadlineMs) throw failure;
          await wait(delayMs, signal).catch((reason: unknown) => {
            throw atDeadline(reason, stop, deadline);
          });
        }
      }
    },
  };
}

function parseResponse(text: string): unknown {
  try {
    return parseJson(text);
  } catch (cause) {
    throw new ProviderFailure('answer-malformed', { isRetryable: true, cause });
  }
}

/** What servers answer to an output schema that they, or the model, do not know. */
function mayBeRefusedShape(error: unknown): boolean {
  return error instanceof ProviderFailure && [400, 415, 422, 501].includes(error.status ?? 0);
}

function atDeadline(error: unknown, stop: AbortSignal, deadline: AbortSignal): unknown {
  if (stop.aborted) return stop.reason;
  if (deadline.aborted) return new ProviderFailure('timeout', { isRetryable: false });
  return error;
}

/** Half to one and a half times the usual delay, unless the provider named one. @returns undefined: do not repeat */
function retryDelayMs(failure: unknown, rng: Rng): number | undefined {
  if (!(failure instanceof ProviderFailure) || !failure.isRetryable) return undefined;
  return failure.retryAfterMs ?? limits.aiRetryDelayMs * (0.5 + rng.uniform());
}
