import type { FastifyRequest } from 'fastify';

/** The server cuts sockets that are silent for `connectionTimeoutMs`; an answer that may take longer asks for its time. */
export function keepConnectionOpen(request: FastifyRequest, withinMs: number): void {
  const { socket } = request.raw;
  // An injected request has no real socket.
  if (typeof socket?.setTimeout === 'function') socket.setTimeout(withinMs);
}
