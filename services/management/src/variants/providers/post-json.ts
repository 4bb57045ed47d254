import { limits } from '@bandit/contracts';
import { type Dispatcher, request } from 'undici';
import { ProviderFailure } from './provider-failure.ts';

export interface JsonPost {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
  /** Ends the call, also in the middle of the answer. */
  readonly signal: AbortSignal;
  /** Now, in milliseconds since the epoch: reads a `Retry-After` date. */
  readonly nowMs: number;
}

/**
 * One POST of JSON. Follows no redirect, reads a successful answer up to `aiAnswerBytesMax` and no other answer at all.
 *
 * @returns the body of a 2xx answer as text
 * @throws ProviderFailure; the signal's reason when the signal ended the call
 */
export async function postJson(dispatcher: Dispatcher, post: JsonPost): Promise<string> {
  const answer = await request(post.url, {
    dispatcher,
    method: 'POST',
    headers: { accept: 'application/json', 'content-type': 'application/json', ...post.headers },
    body: JSON.stringify(post.body),
    signal: post.signal,
    headersTimeout: limits.aiTimeoutMs,
    bodyTimeout: limits.aiTimeoutMs,
  }).catch((cause: unknown) => {
    throw failureOf(post.signal, cause);
  });
  if (answer.statusCode < 200 || answer.statusCode > 299) {
    discard(answer.body);
    throw statusFailure(answer, post.nowMs);
  }
  return readBounded(answer.body, post.signal);
}

async function readBounded(body: Dispatcher.ResponseData['body'], signal: AbortSignal): Promise<string> {
  const chunks: Uint8Array[] = [];
  let nBytes = 0;
  try {
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      nBytes += chunk.byteLength;
      if (nBytes > limits.aiAnswerBytesMax) break;
      chunks.push(chunk);
    }
  } catch (cause) {
    throw failureOf(signal, cause);
  }
  // Leaving the loop early has destroyed the stream, and the connection with it.
  if (nBytes > limits.aiAnswerBytesMax) throw new ProviderFailure('answer-too-large', { isRetryable: false });
  return decodeUtf8(Buffer.concat(chunks));
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new ProviderFailure('answer-malformed', { isRetryable: true, cause });
  }
}

function failureOf(signal: AbortSignal, cause: unknown): unknown {
  return signal.aborted ? signal.reason : new ProviderFailure('network', { isRetryable: true, cause });
}

function statusFailure(answer: Dispatcher.ResponseData, nowMs: number): ProviderFailure {
  const status = answer.statusCode;
  if (status < 400) return new ProviderFailure('redirect', { isRetryable: false, status });
  const isRetryable = status === 429 || status >= 500;
  const retryAfterMs = readRetryAfter(answer.headers['retry-after'], nowMs);
  return new ProviderFailure('status', { isRetryable, status, retryAfterMs });
}

/** RFC 9110: whole seconds or a date. @returns milliseconds >= 0; undefined when absent or neither */
export function readRetryAfter(header: string | string[] | undefined, nowMs: number): number | undefined {
  const text = (Array.isArray(header) ? header[0] : header)?.trim();
  if (!text) return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1_000;
  const atMs = Date.parse(text);
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - nowMs);
}

/** Drops the connection instead of reading a body of unknown length. */
function discard(body: Dispatcher.ResponseData['body']): void {
  body.on('error', () => undefined);
  body.destroy();
}
