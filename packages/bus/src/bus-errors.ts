/** No responder answered within the deadline, or there is none. */
export class BusTimeoutError extends Error {
  readonly code = 'BUS_TIMEOUT';
  constructor(subject: string, timeoutMs: number) {
    super(`no answer on ${subject} within ${timeoutMs} ms`);
    this.name = 'BusTimeoutError';
  }
}

/** The bus was closed, or its server cannot be reached. */
export class BusUnavailableError extends Error {
  readonly code = 'BUS_UNAVAILABLE';
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'BusUnavailableError';
  }
}

/** The responder's handler threw; its error is in the responder's log. */
export class BusResponderError extends Error {
  readonly code = 'BUS_RESPONDER_FAILED';
  constructor(subject: string) {
    super(`the responder of ${subject} failed`);
    this.name = 'BusResponderError';
  }
}

/** The bus is there and refuses: a stream is full, a message too large, a permission or JetStream is missing. */
export class BusRefusedError extends Error {
  readonly code = 'BUS_REFUSED';
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'BusRefusedError';
  }
}
