/** What a database error means for whoever has to answer for it. */
import { ApiError } from '@bandit/contracts';

const unavailableNodeCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ENOENT',
  'ENOTFOUND',
  'ENETUNREACH',
  'EHOSTUNREACH',
  'ETIMEDOUT',
  'EAI_AGAIN',
]);

/** The driver's own errors carry no code: they are told apart by their sentence. */
const lostSentences = [
  'Query read timeout',
  'Connection terminated',
  'Client has encountered a connection error',
  'Client was closed',
  'Connection ended unexpectedly',
];
const neverSentSentences = [
  'timeout exceeded when trying to connect',
  'timeout expired',
  'Cannot use a pool after calling end',
  'driver has already been destroyed',
];

const connectionFailed = /^08/;
// Shut down, crashed, starting up; statement timeout; resources; lock timeout; read-only after a failover; I/O;
// gave way to another transaction.
const unavailableStates = /^(08...|57P0[1-5]|57014|53...|55P03|25006|25P03|58...|40001|40P01|40003)$/;
/** Server errors after which the statement may nevertheless have been committed. */
const unknownStates = /^(08...|57P0[125]|40003)$/;

/** The five-character SQLSTATE of an error that the server reported, else undefined. */
export function sqlStateOf(error: unknown): string | undefined {
  const code = codeOf(error);
  return code !== undefined && /^[0-9A-Z]{5}$/.test(code) && !unavailableNodeCodes.has(code)
    ? code
    : undefined;
}

/**
 * For a service's error handler: a store that is away is 503 STORE_UNAVAILABLE; all else stays what it is, also a client
 * whose own connection was reset (the framework has given that error a status; no store's has one).
 */
export function toAnswerable(error: unknown): unknown {
  if (error instanceof ApiError || hasStatus(error) || !isStoreUnavailable(error)) return error;
  return new ApiError('STORE_UNAVAILABLE', 'the database is away or too slow: try again', { cause: error });
}

/**
 * True when the database is away, starting, stopping, overloaded or too slow: try again later (503
 * STORE_UNAVAILABLE). False for mistakes of the statement itself.
 */
export function isStoreUnavailable(error: unknown): boolean {
  if (error instanceof OutcomeUnknownError) return true;
  const state = sqlStateOf(error);
  if (state !== undefined) return unavailableStates.test(state);
  const code = codeOf(error);
  if (code !== undefined && unavailableNodeCodes.has(code)) return true;
  if (error instanceof AggregateError) return error.errors.some(isStoreUnavailable);
  return startsWithOne(error, lostSentences) || startsWithOne(error, neverSentSentences);
}

/**
 * True when nobody can say whether the statement was committed: the connection was lost, or the deadline passed, after
 * it may have been sent. Re-run it with the same identities.
 */
export function isOutcomeUnknown(error: unknown): boolean {
  if (error instanceof OutcomeUnknownError) return true;
  const state = sqlStateOf(error);
  if (state !== undefined) return unknownStates.test(state);
  const code = codeOf(error);
  if (code === 'ECONNRESET' || code === 'EPIPE' || code === 'ETIMEDOUT' || code === 'ECONNABORTED')
    return true;
  return startsWithOne(error, lostSentences);
}

/** True when the connection that raised this must not be used again. */
export function isConnectionBroken(error: unknown): boolean {
  const state = sqlStateOf(error);
  if (state !== undefined) return connectionFailed.test(state) || /^57P0[1-5]$|^25P03$/.test(state);
  return isStoreUnavailable(error);
}

/** @param constraint when given, only a violation of that constraint or index counts */
export function isUniqueViolation(error: unknown, constraint?: string): boolean {
  if (sqlStateOf(error) !== '23505') return false;
  return constraint === undefined || (error as { constraint?: unknown }).constraint === constraint;
}

/** True for SQLSTATE classes 22 and 23: a value of the statement is at fault, so a smaller group may succeed. */
export function isDataError(error: unknown): boolean {
  return /^2[23]/.test(sqlStateOf(error) ?? '');
}

/** The statement may or may not have been committed. Its `cause` is the driver's error. */
export class OutcomeUnknownError extends Error {
  constructor(cause: unknown) {
    super('the outcome of the commit is unknown: the connection was lost or its deadline passed', { cause });
    this.name = 'OutcomeUnknownError';
  }
}

function hasStatus(error: unknown): boolean {
  return typeof (error as { statusCode?: unknown } | null | undefined)?.statusCode === 'number';
}

function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}

function startsWithOne(error: unknown, sentences: readonly string[]): boolean {
  const message = (error as { message?: unknown } | null | undefined)?.message;
  return typeof message === 'string' && sentences.some((sentence) => message.startsWith(sentence));
}
