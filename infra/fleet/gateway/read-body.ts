import type { IncomingMessage } from 'node:http';
import { PassThrough } from 'node:stream';
import { limits } from '@bandit/contracts';

/** What is sent on: nothing, a small body as a whole, or a stream that is read by one instance at most. */
export type Body = Buffer | PassThrough | null;

/**
 * Gives the body as it came, not parsed. One that is known to be small is taken whole first: a client that trickles
 * holds no instance, and the body goes out with the head in one write. A client that goes away meanwhile is never called
 * back for.
 */
export function readBody(request: IncomingMessage, onBody: (body: Body) => void): void {
  const { headers } = request;
  const length =
    headers['transfer-encoding'] === undefined ? Number(headers['content-length'] ?? 0) : undefined;
  if (length === 0) onBody(null);
  else if (length === undefined || length > limits.gatewayHeldBodyBytesMax) onBody(streamBody(request));
  else holdBody(request, onBody);
}

function holdBody(request: IncomingMessage, onBody: (body: Body) => void): void {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => void chunks.push(chunk));
  request.on('end', () => onBody(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)));
  // The server's own handler answers what is broken or late; here it only must not be thrown.
  request.on('error', () => undefined);
}

/** A stream beside the request: an instance that answers early ends it, and the client can still be answered. */
function streamBody(request: IncomingMessage): PassThrough {
  const body = new PassThrough();
  // Its reader listens too; without one (nobody took the request) an error is nobody's.
  body.on('error', () => undefined);
  request.pipe(body);
  request.on('error', () => undefined);
  request.on('close', () => {
    if (!request.complete) body.destroy(new Error('the client went away before the end of its body'));
  });
  return body;
}
