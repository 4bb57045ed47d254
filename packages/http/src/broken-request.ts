import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type ErrorCode, fail } from '@bandit/contracts';

interface BrokenAnswer {
  readonly status: string;
  readonly code: ErrorCode;
  readonly message: string;
}

const answers: Readonly<Record<string, BrokenAnswer>> = {
  HPE_HEADER_OVERFLOW: {
    status: '431 Request Header Fields Too Large',
    code: 'HEADERS_TOO_LARGE',
    message: 'the headers are larger than this server takes',
  },
  ERR_HTTP_REQUEST_TIMEOUT: {
    status: '408 Request Timeout',
    code: 'REQUEST_TIMEOUT',
    message: 'the request did not arrive in time',
  },
};
const other: BrokenAnswer = {
  status: '400 Bad Request',
  code: 'MALFORMED_REQUEST',
  message: 'the request is not valid HTTP',
};

/** Sockets that are being answered: what else arrives on them is not looked at. */
const handled = new WeakSet<Socket>();

/**
 * What never became a request (bad framing, too slow, headers too large): the envelope on the bare socket, then closed.
 * Whole requests that came before it on the same socket are answered first, each in its turn.
 *
 * @param requestId for `x-request-id`, as on every answer
 */
export function answerBrokenRequest(
  error: { code?: string },
  socket: Socket,
  requestId: string,
  nowMs: number,
): void {
  if (handled.has(socket)) return;
  handled.add(socket);
  answerInTurn(error, socket, requestId, nowMs);
}

function answerInTurn(error: { code?: string }, socket: Socket, requestId: string, nowMs: number): void {
  const current = findCurrentAnswer(socket);
  if (current?.req.complete && socket.writable) {
    current.once('close', () => answerInTurn(error, socket, requestId, nowMs));
  } else if (error.code === 'ECONNRESET' || !socket.writable || current?.headersSent === true) {
    // Gone, or the broken request has its answer already (413 before its end): another would end up inside it.
    socket.destroy();
  } else {
    // Refused before its body broke (401 and the like): a second answer would pass for that of a next request.
    const isAnswered = current === undefined && findCurrentRequest(socket)?.complete === false;
    const text = isAnswered ? '' : writeAnswer(answers[error.code ?? ''] ?? other, requestId, nowMs);
    // Whoever does not close their half is cut: nothing reads this socket any more.
    socket.setTimeout(lingerMs, () => socket.destroy());
    socket.end(text);
  }
}

const lingerMs = 1_000;

function writeAnswer(answer: BrokenAnswer, requestId: string, nowMs: number): string {
  const body = JSON.stringify(fail(answer.code, answer.message, nowMs));
  const head = [
    `HTTP/1.1 ${answer.status}`,
    'content-type: application/json; charset=utf-8',
    `content-length: ${Buffer.byteLength(body)}`,
    `x-request-id: ${requestId}`,
    'connection: close',
  ];
  return `${head.join('\r\n')}\r\n\r\n${body}`;
}

/** The answer that is being made on this socket; Node keeps it there and offers no other way to it. */
function findCurrentAnswer(socket: Socket): ServerResponse | undefined {
  return (socket as { _httpMessage?: ServerResponse | null })._httpMessage ?? undefined;
}

/** The request that this socket's parser is in, or was in last. */
function findCurrentRequest(socket: Socket): IncomingMessage | undefined {
  return (socket as { parser?: { incoming?: IncomingMessage | null } }).parser?.incoming ?? undefined;
}
