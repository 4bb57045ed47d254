import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/** Below the kernel's range for outgoing connections (32768 up), so that nothing takes the port while its server is down. */
const portMin = 10_000;
const portMax = 22_000;
const attemptsMax = 200;

/** A port of the loopback address that is free now, and so is each `port + offset`. */
export async function findFreePort(offsets: readonly number[] = []): Promise<number> {
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const port = randomInt(portMin, portMax);
    const areFree = await Promise.all([0, ...offsets].map((offset) => isPortFree(port + offset)));
    if (areFree.every(Boolean)) return port;
  }
  throw new Error(`no free port found between ${portMin} and ${portMax} in ${attemptsMax} attempts`);
}

export function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}
