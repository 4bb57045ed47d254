import { Worker } from 'node:worker_threads';
import type { Test } from 'tap';
import type { ProxyOrder } from './proxy-thread.ts';

/** In front of one store. */
export interface StoreProxy {
  readonly port: number;
  /** Added to each round trip; 0: none. */
  setLatencyMs(ms: number): Promise<void>;
  /** New connections get ECONNREFUSED, open ones are cut. */
  refuse(): Promise<void>;
  accept(): Promise<void>;
}

/** One proxy a store, by its name. They end with the test. */
export async function openProxies<Name extends string>(
  t: Test,
  ports: Readonly<Record<Name, number>>,
): Promise<Readonly<Record<Name, StoreProxy>>> {
  const thread = new Worker(new URL('./proxy-thread.ts', import.meta.url));
  t.teardown(() => thread.terminate().then(() => undefined));
  const waiting = new Map<number, (value: number | undefined) => void>();
  thread.on('message', ({ id, value }: { id: number; value?: number }) => {
    waiting.get(id)?.(value);
    waiting.delete(id);
  });
  let nOrders = 0;
  const order = (name: string, call: ProxyOrder['call'], value = 0): Promise<number | undefined> => {
    nOrders += 1;
    const id = nOrders;
    thread.postMessage({ id, name, call, value } satisfies ProxyOrder);
    return new Promise((resolve) => waiting.set(id, resolve));
  };
  const open = async (name: string, targetPort: number): Promise<[string, StoreProxy]> => {
    const port = (await order(name, 'open', targetPort)) as number;
    const obey = async (call: ProxyOrder['call'], value?: number) => void (await order(name, call, value));
    return [
      name,
      {
        port,
        setLatencyMs: (ms) => obey('slow', ms),
        refuse: () => obey('refuse'),
        accept: () => obey('accept'),
      },
    ];
  };
  const opened = await Promise.all(Object.entries<number>(ports).map(([name, port]) => open(name, port)));
  return Object.fromEntries(opened) as Record<Name, StoreProxy>;
}
