import { type Dispatcher, request } from 'undici';

/** How the demo proves who it is on the dashboard's routes: one header. */
export interface SessionHeader {
  readonly name: 'x-user-email' | 'cookie' | 'authorization';
  readonly value: string;
}

export interface PlatformAccess {
  /** Where the API answers, without a slash at the end. */
  readonly url: string;
  readonly apiKey: string;
  readonly session: SessionHeader;
}

/** An answer that is not the one asked for; the message names the route, the status and what the platform said. */
export class PlatformError extends Error {
  readonly status: number;
  constructor(message: string, status: number) {
    super(message);
    this.name = 'PlatformError';
    this.status = status;
  }
}

export interface Answer {
  readonly status: number;
  readonly body: {
    readonly success: boolean;
    readonly data?: unknown;
    readonly error?: string;
    readonly code?: string;
  };
}

export interface PlatformClient {
  /** Routes of the dashboard (session). @throws PlatformError unless `success` is true */
  manage(method: 'GET' | 'POST' | 'PUT', path: string, body?: unknown): Promise<unknown>;
  /** Routes of the SDK (API key); any status is returned. */
  send(path: string, body: unknown): Promise<Answer>;
}

/** Waits that a busy platform may ask for before a request is given up. */
const attemptsMax = 5;
const attemptTimeoutMs = 15_000;
const retryAfterMsMax = 5_000;
/** An experiment that was activated just now is known to every process of a platform within a second. */
const notYetCodes = ['EXPERIMENT_NOT_ACTIVE', 'EXPERIMENT_NOT_FOUND'];
const notYetWaitMs = 400;

/**
 * The platform's HTTP API as the demo uses it. 429 and 503 are repeated after the `Retry-After` of the answer, an
 * experiment that is not active yet after a moment, `attemptsMax` times in all. A repeat is harmless: assignments are
 * sticky and each conversion counts once.
 *
 * @param wait resolves after so many milliseconds, rejects when `signal` aborts
 */
export function createPlatformClient(deps: {
  access: PlatformAccess;
  dispatcher: Dispatcher;
  signal: AbortSignal;
  wait: (milliseconds: number) => Promise<void>;
}): PlatformClient {
  const { access, dispatcher, signal, wait } = deps;

  async function callOnce(
    method: 'GET' | 'POST' | 'PUT',
    path: string,
    headers: Record<string, string>,
    body?: unknown,
  ) {
    const answer = await request(access.url + path, {
      method,
      dispatcher,
      signal: AbortSignal.any([signal, AbortSignal.timeout(attemptTimeoutMs)]),
      headers: body === undefined ? headers : { ...headers, 'content-type': 'application/json' },
      body: body === undefined ? null : JSON.stringify(body),
    });
    const text = await answer.body.text();
    const retryAfter = Number(answer.headers['retry-after'] ?? 1);
    return {
      status: answer.statusCode,
      body: parseAnswer(text, method, path, answer.statusCode),
      retryAfter,
    };
  }

  async function call(
    method: 'GET' | 'POST' | 'PUT',
    path: string,
    headers: Record<string, string>,
    body?: unknown,
  ): Promise<Answer> {
    for (let attempt = 1; ; attempt++) {
      const answer = await callOnce(method, path, headers, body);
      const waitMs = attempt < attemptsMax ? retryWaitMs(answer) : undefined;
      if (waitMs === undefined) return answer;
      await wait(waitMs);
    }
  }

  return {
    async manage(method, path, body) {
      const answer = await call(method, path, { [access.session.name]: access.session.value }, body);
      if (!answer.body.success) throw failureOf(method, path, answer);
      return answer.body.data;
    },
    send: (path, body) => call('POST', path, { authorization: `Bearer ${access.apiKey}` }, body),
  };
}

/** undefined: the answer is final. */
function retryWaitMs({ status, body, retryAfter }: Answer & { retryAfter: number }): number | undefined {
  if (status === 429 || status === 503) return Math.min(retryAfterMsMax, 1_000 * (retryAfter || 1));
  return notYetCodes.includes(body.code ?? '') ? notYetWaitMs : undefined;
}

export function failureOf(method: string, path: string, answer: Answer): PlatformError {
  return new PlatformError(
    `${method} ${path} answered ${answer.status}: ${answer.body.error ?? 'no reason given'}`,
    answer.status,
  );
}

function parseAnswer(text: string, method: string, path: string, status: number): Answer['body'] {
  try {
    return JSON.parse(text) as Answer['body'];
  } catch (cause) {
    throw new Error(`${method} ${path} answered ${status} with a body that is not JSON`, { cause });
  }
}
