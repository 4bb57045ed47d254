import { connect, type Socket } from 'node:net';
import { readAnswers } from './read-answers.ts';

/** All that came back on one connection. */
export interface Exchange {
  readonly received: string;
  readonly openMs: number;
  /** The server did not close before the deadline. */
  readonly isHung: boolean;
}

export interface ExchangeOptions {
  /** Called once connected: writes what there is to write. */
  readonly write: (socket: Socket) => void;
  readonly deadlineMs: number;
}

/** Opens a connection and reads it until the server closes, or cuts it at the deadline. A reset is an end, too. */
export function exchange(url: string, { write, deadlineMs }: ExchangeOptions): Promise<Exchange> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const startedAt = performance.now();
    let received = '';
    let isHung = false;
    const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true }, () => write(socket));
    const timer = setTimeout(() => {
      isHung = true;
      socket.destroy();
    }, deadlineMs);
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => {
      received += chunk;
    });
    socket.on('end', () => socket.end());
    // Reset or broken pipe: the server cut the connection while this side still wrote.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearTimeout(timer);
      resolve({ received, openMs: performance.now() - startedAt, isHung });
    });
  });
}

/** After the server's own deadlines. */
const answerDeadlineMs = 30_000;
/** Nothing more comes behind a whole answer. */
const quietMs = 50;

/**
 * Sends the bytes and closes this half once it is quiet behind a whole answer; without any answer after `patienceMs`, 0 for at
 * once. (The server gives no answer to whoever closes while it still thinks: it takes them for gone.)
 */
export function sendBytes(url: string, bytes: string | Buffer, patienceMs: number): Promise<Exchange> {
  const write = (socket: Socket): void => {
    if (patienceMs === 0) return void socket.end(bytes);
    socket.write(bytes);
    let received = '';
    let timer = setTimeout(() => socket.end(), patienceMs);
    socket.on('data', (chunk: string) => {
      received += chunk;
      const { answers, rest } = readAnswers(received);
      if (answers.length === 0 || rest !== '') return;
      clearTimeout(timer);
      timer = setTimeout(() => socket.end(), quietMs);
    });
    socket.on('close', () => clearTimeout(timer));
  };
  return exchange(url, { write, deadlineMs: answerDeadlineMs });
}
