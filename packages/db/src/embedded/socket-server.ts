import { createServer, type Socket } from 'node:net';
import { createSessionQueue, type RunProtocol } from './session-queue.ts';
import { type ClientUnit, createUnitReader, encodeStartup } from './wire-protocol.ts';

export interface SocketServer {
  /** Rolls open transactions back, cuts every connection and stops listening. */
  close(): Promise<void>;
}

/**
 * Postgres' wire protocol on a Unix socket for any number of node-postgres connections, in front of PGlite's one
 * session. (@electric-sql/pglite-socket 0.2.17 queues single messages: of 500 concurrent statements, half of them longer
 * than one read of the socket, 142 got the answer of another connection's statement.)
 *
 * @param onFatal the session is lost: every connection has been cut, the process must be told
 */
export async function startSocketServer(
  socketPath: string,
  runProtocol: RunProtocol,
  onFatal: (error: unknown) => void,
): Promise<SocketServer> {
  // Every connection is greeted with what the session itself answers to a start-up.
  const greeting = await runProtocol(encodeStartup('postgres', 'postgres'));
  const sockets = new Set<Socket>();
  const cutAll = () => {
    for (const socket of sockets) socket.destroy();
  };
  const queue = createSessionQueue(runProtocol, (error) => {
    cutAll();
    onFatal(error);
  });
  let lastConnection = 0;
  const server = createServer((socket) => {
    sockets.add(socket);
    lastConnection += 1;
    serveConnection(socket, lastConnection, queue, greeting);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(socketPath, resolve);
  });
  return {
    close: async () => {
      await queue.close();
      cutAll();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function serveConnection(
  socket: Socket,
  connection: number,
  queue: ReturnType<typeof createSessionQueue>,
  greeting: Uint8Array,
): void {
  const reader = createUnitReader();
  const answerUnit = (unit: ClientUnit) => {
    if (unit.kind === 'startup') socket.write(greeting);
    else if (unit.kind === 'encryption') socket.write('N');
    else if (unit.kind === 'query')
      void queue.run(connection, unit.bytes).then((answer) => {
        if (answer !== undefined && socket.writable) socket.write(answer);
      });
    // A cancel request is a connection of its own that carries nothing else; the session cannot be interrupted.
    else socket.end();
  };
  socket.on('data', (chunk) => {
    try {
      reader.read(chunk).forEach(answerUnit);
    } catch {
      socket.destroy();
    }
  });
  // The close that follows cleans up.
  socket.on('error', () => undefined);
  socket.on('close', () => queue.leave(connection));
}
