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

/**
 * What never became a request (bad framing, too slow, headers too large): the envelope on the bare socket, then closed.
 *
 * @param requestId for `x-request-id`, as on every answer
 */
export function answerBrokenRequest(
  error: { code?: string },
  socket: Socket,
  requestId: string,
  nowMs: number,
): void {
  if (error.code === 'ECONNRESET' || !socket.writable || isAnswering(socket)) {
    socket.destroy();
    return;
  }
  const answer = answers[error.code ?? ''] ?? other;
  const body = JSON.stringify(fail(answer.code, answer.message, nowMs));
  const head = [
    `HTTP/1.1 ${answer.status}`,
    'content-type: application/json; charset=utf-8',
    `content-length: ${Buffer.byteLength(body)}`,
    `x-request-id: ${requestId}`,
    'connection: close',
  ];
  // Whoever does not close their half is cut: nothing reads this socket any more.
  socket.setTimeout(lingerMs, () => socket.destroy());
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}

const lingerMs = 1_000;

/** True while an earlier request's answer is on its way: writing now would end up inside it. */
function isAnswering(socket: Socket): boolean {
  const { _httpMessage } = socket as { _httpMessage?: { headersSent?: boolean } | null };
  return _httpMessage?.headersSent === true;
}
