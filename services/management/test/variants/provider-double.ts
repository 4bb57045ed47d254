/**
 * A local HTTP server that behaves like a provider: it answers each request with the next of the given replies (the last
 * one for ever) and keeps what it was asked. Speaks real HTTP, so that what is tested is what goes over the wire.
 */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Test } from 'tap';

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Record<string, unknown>;
}

/** Writes one answer; `undefined` body parts mean what the reply says. */
export type Reply = (response: ServerResponse, request: SeenRequest) => void;

export interface ProviderDouble {
  readonly url: string;
  readonly requests: SeenRequest[];
  /** Replies to come; the last is repeated. */
  reply(...replies: Reply[]): void;
  /** Resolves when the nth request (1-based, since the last `reply`) has arrived. */
  arrived(n: number): Promise<void>;
}

export async function startProviderDouble(t: Test): Promise<ProviderDouble> {
  let replies: Reply[] = [];
  let requests: SeenRequest[] = [];
  let waiters: { n: number; resolve: () => void }[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    request.on('end', () => {
      const seen = {
        method: request.method ?? '',
        path: request.url ?? '',
        headers: request.headers,
        body: JSON.parse(Buffer.concat(chunks).toString('utf8')) as Record<string, unknown>,
      };
      requests.push(seen);
      const reply = replies[Math.min(requests.length, replies.length) - 1];
      reply?.(response, seen);
      for (const waiter of waiters) if (requests.length >= waiter.n) waiter.resolve();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get requests() {
      return requests;
    },
    reply(...next) {
      replies = next;
      requests = [];
      waiters = [];
    },
    arrived: (n) =>
      new Promise((resolve) => {
        if (requests.length >= n) resolve();
        else waiters.push({ n, resolve });
      }),
  };
}

export const goodVariant = { name: 'Proof', description: 'Names others.', content: 'Join 40 other teams' };

/** Any body with any status and headers. */
export function respond(status: number, body: string | Buffer, headers: Record<string, string> = {}): Reply {
  return (response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(body);
  };
}

/** What OpenAI's chat completions answer. */
export function completion(content: unknown, extra: { finish_reason?: string } = {}): Reply {
  const message = { role: 'assistant', content };
  const body = {
    id: 'chatcmpl-1',
    object: 'chat.completion',
    model: 'm',
    choices: [{ index: 0, finish_reason: 'stop', message, ...extra }],
    usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
  };
  return respond(200, JSON.stringify(body));
}

/** What Anthropic's Messages API answers. */
export function anthropicMessage(content: unknown, stopReason = 'end_turn'): Reply {
  const body = {
    id: 'msg_1',
    type: 'message',
    role: 'assistant',
    model: 'm',
    stop_reason: stopReason,
    content,
  };
  return respond(200, JSON.stringify(body));
}

/** Takes the request and never answers. */
export const hang: Reply = () => undefined;

/** Sends the head and half a body, then nothing. */
export const hangMidBody: Reply = (response) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
  response.write('{"choices":[');
};

/** Sends the head and half a body, then cuts the connection. */
export const cutMidBody: Reply = (response) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
  response.write('{"choices":[', () => response.destroy());
};

/** An endless body: whoever reads it all never ends. */
export const oversized: Reply = (response) => {
  response.writeHead(200, { 'content-type': 'application/json' });
  const chunk = Buffer.alloc(65_536, ' ');
  const pump = (): void => {
    if (response.destroyed) return;
    if (response.write(chunk)) setImmediate(pump);
    else response.once('drain', pump);
  };
  pump();
};
