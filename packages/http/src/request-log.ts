import type { FastifyBaseLogger } from 'fastify';
import { describeError, withoutValues } from './describe-error.ts';

/**
 * The logger that the framework and the handlers get: what goes through it says nothing that a request brought. Errors are
 * described, requests and replies left out, and values cut from messages (pino makes an error's message the line's, and
 * Fastify writes whole URLs). A request's child becomes a real logger with its first line: most requests write none.
 */
export function createRequestLogger(logger: FastifyBaseLogger): FastifyBaseLogger {
  return new RequestLogger(logger) as unknown as FastifyBaseLogger;
}

type Level = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent';
type Write = (details: object, message: string) => void;

class RequestLogger {
  readonly #parent: FastifyBaseLogger;
  readonly #bindings: Record<string, unknown> | undefined;
  #own: FastifyBaseLogger | undefined;

  constructor(parent: FastifyBaseLogger, bindings?: Record<string, unknown>) {
    this.#parent = parent;
    this.#bindings = bindings;
  }

  get level(): string {
    return this.#parent.level;
  }

  /** Serializers that the framework asks for are left out: what is written here needs none. */
  child(bindings: Record<string, unknown>): RequestLogger {
    return new RequestLogger(this.#parent, { ...this.#bindings, ...bindings });
  }

  fatal(...args: unknown[]): void {
    this.#write('fatal', args);
  }

  error(...args: unknown[]): void {
    this.#write('error', args);
  }

  warn(...args: unknown[]): void {
    this.#write('warn', args);
  }

  info(...args: unknown[]): void {
    this.#write('info', args);
  }

  debug(...args: unknown[]): void {
    this.#write('debug', args);
  }

  trace(...args: unknown[]): void {
    this.#write('trace', args);
  }

  silent(): void {
    // Writes nothing, by its name.
  }

  #write(level: Level, [first, second]: unknown[]): void {
    this.#own ??= this.#bindings === undefined ? this.#parent : this.#parent.child(this.#bindings);
    const write = this.#own[level].bind(this.#own) as Write;
    const message = typeof first === 'string' ? first : second;
    write(detailsOf(first), typeof message === 'string' ? withoutValues(message) : 'an error');
  }
}

function detailsOf(first: unknown): object {
  if (first instanceof Error) return { err: describeError(first) };
  if (typeof first !== 'object' || first === null) return {};
  const { err, req, res, ...rest } = first as Record<string, unknown>;
  return {
    ...(err instanceof Error ? { err: describeError(err) } : err === undefined ? {} : { err }),
    ...rest,
  };
}
