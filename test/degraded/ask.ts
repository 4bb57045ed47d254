import { Agent, request as httpRequest } from 'node:http';

/** What a client saw of one request. */
export interface Seen {
  /** 0: no answer. */
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  // biome-ignore lint/suspicious/noExplicitAny: answers are asserted field by field.
  readonly body: any;
  /** From sending to the last byte. */
  readonly tookMs: number;
}

export interface Request {
  readonly url: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly timeoutMs: number;
}

/** Kept connections, no more than `nMax` to one process. */
export const connections = (nMax: number): Agent => new Agent({ keepAlive: true, maxSockets: nMax });

/** Sent once: nothing is repeated. Never rejects. */
export function ask(
  agent: Agent,
  { url, method = 'POST', headers, body, timeoutMs }: Request,
): Promise<Seen> {
  const startedMs = performance.now();
  const text = body === undefined ? undefined : JSON.stringify(body);
  return new Promise((resolve) => {
    const settle = (status: number, found: Seen['headers'], parsed: unknown) =>
      resolve({ status, headers: found, body: parsed, tookMs: performance.now() - startedMs });
    const fail = (error: Error) => settle(0, {}, { error: error.message });
    const json = text === undefined ? {} : { 'content-type': 'application/json' };
    const signal = AbortSignal.timeout(timeoutMs);
    const sent = httpRequest(url, { agent, method, headers: { ...json, ...headers }, signal }, (response) => {
      let received = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        received += chunk;
      });
      response.on('end', () => settle(response.statusCode ?? 0, response.headers, parse(received)));
      response.on('error', fail);
    });
    sent.on('error', fail);
    sent.end(text);
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
