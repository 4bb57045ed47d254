import { findFreePort } from '../find-free-port.ts';

/** Ports of the loopback address that are free now, all different. */
export async function findFreePorts(nPorts: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < nPorts) ports.add(await findFreePort());
  return [...ports];
}
