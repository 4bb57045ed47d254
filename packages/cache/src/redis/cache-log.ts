export interface CacheLog {
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
}

/**
 * Says once that Redis is away, once if it refuses us (password, rights), and once that it is back, however often the
 * client reports. Only the text of an error is logged: the object holds the arguments of AUTH.
 */
export class ConnectionLog {
  readonly #log: CacheLog;
  #isAway = false;
  #isRefused = false;

  constructor(log: CacheLog) {
    this.#log = log;
  }

  away(error: Error, isRefusal: boolean): void {
    const reason =
      error.message === '' ? ((error as NodeJS.ErrnoException).code ?? error.name) : error.message;
    if (isRefusal && !this.#isRefused)
      this.#log.error(
        { reason },
        'Redis refuses the connection of the assignment cache: check the user and password',
      );
    else if (!isRefusal && !this.#isAway)
      this.#log.warn({ reason }, 'the assignment cache is away: requests go on without it');
    this.#isAway = true;
    this.#isRefused ||= isRefusal;
  }

  back(): void {
    if (this.#isAway) this.#log.info({}, 'the assignment cache is back');
    this.#isAway = false;
    this.#isRefused = false;
  }
}
