import type { IncomingMessage } from 'node:http';
import { limits } from '@bandit/contracts';

/**
 * Ends the connection of a refused body so that the refusal is read. Most clients look for an answer when they have
 * sent all they have; cutting them off while they still send resets the connection, and the answer is lost with it. So
 * the answer and the end go out at once, and what still comes is taken off the wire and thrown away, for a bounded time.
 */
export function endPolitely(request: IncomingMessage): void {
  const { socket } = request;
  // What Node calls after the last answer of a connection; its own waits for nothing but the answer's last byte.
  socket.destroySoon = () => {
    socket.end();
    request.resume();
    const cut = setTimeout(() => socket.destroy(), limits.refusedBodyTimeoutMs);
    cut.unref();
    socket.once('close', () => clearTimeout(cut));
  };
}
