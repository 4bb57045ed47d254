import { lstat, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import type { Config } from '@bandit/config';
import type { HttpServer } from '@bandit/http';

/** Where a process listens: one of the two. */
export type Address = { readonly url: string } | { readonly socket: string };

/** Listens on LISTEN_SOCKET, else on HOST and PORT. @throws when somebody else does already */
export async function listen(
  app: HttpServer,
  { host, port, listenSocket }: Pick<Config, 'host' | 'port' | 'listenSocket'>,
): Promise<Address> {
  if (listenSocket === undefined) return { url: await app.listen({ host, port }) };
  // A process that was killed leaves its file behind.
  if ((await isSocket(listenSocket)) && !(await isAnswered(listenSocket))) await rm(listenSocket);
  await app.listen({ path: listenSocket });
  return { socket: listenSocket };
}

/** Anything else at that path is somebody's file and stays: listening is refused. */
async function isSocket(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined);
  return found?.isSocket() === true;
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
}
