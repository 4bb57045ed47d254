import { BusRefusedError, BusTimeoutError, BusUnavailableError } from '../bus-errors.ts';

export type FailureKind = 'lost' | 'timeout' | 'nobody' | 'refused';

/**
 * Why a call to NATS failed. `lost`: the connection ended first; `timeout`: no answer in time; `nobody`: nobody listens
 * on the subject (no responder, no such stream or consumer, no JetStream); `refused`: the server said no.
 */
export class NatsFailure extends Error {
  readonly kind: FailureKind;
  /** JetStream's error code, such as 10058; 0 when there is none. */
  readonly apiCode: number;
  constructor(kind: FailureKind, message: string, apiCode = 0) {
    super(message);
    this.name = 'NatsFailure';
    this.kind = kind;
    this.apiCode = apiCode;
  }
}

/** The port's error for a call that failed. @param what was called, such as "EVENTS" */
export function asBusError(error: unknown, what: string, timeoutMs: number): Error {
  if (!(error instanceof NatsFailure)) return error as Error;
  if (error.kind === 'timeout') return new BusTimeoutError(what, timeoutMs);
  if (error.kind === 'lost')
    return new BusUnavailableError(`the connection to NATS was lost: ${what}`, error);
  return new BusRefusedError(`NATS refuses ${what}: ${error.message}`, error);
}
