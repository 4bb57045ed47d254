/**
 * Stands in for a process of a service: listens where it is told, says so, answers with its pid, stops as it is asked to.
 * BEHAVIOUR: `deaf` ignores SIGTERM, `mayfly` ends at once, `never-ready` says so for ever, else it behaves.
 */
import { createServer } from 'node:http';

const { LISTEN_SOCKET, BEHAVIOUR, SLOW_MS = '5' } = process.env;
if (BEHAVIOUR === 'mayfly') process.exit(7);

const server = createServer((request, response) => {
  if (request.url === '/readyz') {
    response.writeHead(BEHAVIOUR === 'never-ready' ? 503 : 200).end();
    return;
  }
  if (request.url === '/metrics') {
    response.end('# TYPE up gauge\nup 1\n');
    return;
  }
  // Long enough to be under way when something happens.
  setTimeout(() => response.end(String(process.pid)), Number(SLOW_MS));
});

const stop = (): void => {
  server.close(() => process.exit(0));
};
process.on('disconnect', stop);
process.on('SIGTERM', () => {
  if (BEHAVIOUR !== 'deaf') stop();
});
server.listen(LISTEN_SOCKET, () => {
  console.log('{"level":30,"msg":"listening"}');
  console.log('not JSON');
  console.error('a complaint');
  process.send?.({ type: 'listening', socket: LISTEN_SOCKET });
});
