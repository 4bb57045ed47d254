/** Why a provider gave no variant; a closed list, so that nothing of what it said reaches a log or a client. */
export type FailureReason =
  | 'network'
  | 'timeout'
  | 'status'
  | 'redirect'
  | 'answer-too-large'
  | 'answer-malformed'
  | 'answer-unusable'
  | 'answer-duplicate';

/** A call that gave no variant. */
export class ProviderFailure extends Error {
  readonly reason: FailureReason;
  /** True when the same question may well be answered a moment later. */
  readonly isRetryable: boolean;
  readonly status: number | undefined;
  /** How long the provider asked to be left alone. */
  readonly retryAfterMs: number | undefined;

  constructor(
    reason: FailureReason,
    details: { isRetryable: boolean; status?: number; retryAfterMs?: number | undefined; cause?: unknown },
  ) {
    super(`the AI provider failed: ${reason}`, { cause: details.cause });
    this.name = 'ProviderFailure';
    this.reason = reason;
    this.isRetryable = details.isRetryable;
    this.status = details.status;
    this.retryAfterMs = details.retryAfterMs;
  }
}
