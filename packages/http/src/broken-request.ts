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
    code: 'MALFORMED_REQUEST',
    message: 'the headers are larger than this server takes',
  },
  ERR_HTTP_REQUEST_TIMEOUT: {
    status: '408 Request Timeout',
    code: 'MALFORMED_REQUEST',
    message: 'the request did not arrive in time',
  },
};
const other: BrokenAnswer = {
  status: '400 Bad Request',
  code: 'MALFORMED_REQUEST',
  message: 'the request is not valid HTTP',
};

/** What never became a request (bad framing, too slow, headers too large): the envelope on the bare socket, then closed. */
export function answerBrokenRequest(error: { code?: string }, socket: Socket, nowMs: number): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const answer = answers[error.code ?? ''] ?? other;
  const body = JSON.stringify(fail(answer.code, answer.message, nowMs));
  const head = [
    `HTTP/1.1 ${answer.status}`,
    'content-type: application/json; charset=utf-8',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}
