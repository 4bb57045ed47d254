import { type ErrorCode, errorCodes } from '@bandit/contracts';

export interface Answer {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** The only 5xx that were decided on: no AI provider here, a machine too busy to answer in time, a store that is. */
const decided: ReadonlySet<string> = new Set([
  'AI_NOT_CONFIGURED',
  'AI_BUSY',
  'AI_PROVIDER_FAILED',
  'OVERLOADED',
  'SERVICE_UNAVAILABLE',
  'STORE_UNAVAILABLE',
]);
/** Outside the envelope by decision. */
const bare = /^\/(metrics|docs|openapi\.json|livez|healthz|readyz)/;
const instant = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const leak =
  /node_modules|\.ts:\d|\n\s+at |\bselect\b.+\bfrom\b|\binsert into\b|pg_|violates|syntax error at/i;

/** @returns what is wrong with an answer, as sentences; none when it keeps every promise */
export function judgeAnswer(answer: Answer): string[] {
  const { method, path, status, headers, text } = answer;
  const faults: string[] = [];
  if (!headers['x-request-id']) faults.push('has no x-request-id');
  if (bare.test(path)) {
    if (status >= 500) faults.push(`is ${status}`);
    return faults;
  }
  if (method === 'HEAD') {
    if (text !== '') faults.push('answers HEAD with a body');
    if (status >= 500) faults.push(`is ${status}`);
    return faults;
  }
  if (!String(headers['content-type']).startsWith('application/json')) faults.push('is not JSON');
  const body = parse(text);
  if (body === undefined) return [...faults, 'does not parse'];
  faults.push(...(status < 300 && status !== 207 ? judgeSuccess(body) : judgeFailure(status, body)));
  if (!instant.test(String(body.timestamp))) faults.push('has no timestamp in UTC with milliseconds');
  if ((status === 429 || status === 503) && !headers['retry-after']) faults.push('has no retry-after');
  return faults;
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

function judgeSuccess(body: Record<string, unknown>): string[] {
  const keys = Object.keys(body).sort().join();
  return body.success === true && keys === 'data,success,timestamp'
    ? []
    : [`has the fields ${keys} and success ${body.success}`];
}

function judgeFailure(status: number, body: Record<string, unknown>): string[] {
  if (status === 207) return 'data' in body && 'success' in body ? [] : ['is a 207 without data'];
  const { success, error, code, ...rest } = body;
  const faults: string[] = [];
  if (success !== false || 'data' in rest) faults.push('is not a failure envelope');
  if (errorCodes[code as ErrorCode] !== status) faults.push(`has the code ${code} with status ${status}`);
  if (status >= 500 && !decided.has(String(code))) faults.push(`is ${status} ${code}`);
  if (typeof error !== 'string' || error.length === 0 || error.length > 2_000) faults.push('has no sentence');
  // What was sent is quoted back in a 400: only sentences of our own making can leak.
  if (status >= 500 && leak.test(String(error))) faults.push(`leaks: ${error}`);
  return faults;
}
