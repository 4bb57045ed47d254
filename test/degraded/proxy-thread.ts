/** The proxies of the stores, in a thread of their own: what the test does meanwhile must not make a store slow. */
import { parentPort } from 'node:worker_threads';
import { startTcpProxy, type TcpProxy } from '@bandit/test-stores';

export interface ProxyOrder {
  readonly id: number;
  readonly name: string;
  readonly call: 'open' | 'slow' | 'refuse' | 'accept';
  /** Port of the store (open), milliseconds (slow). */
  readonly value: number;
}

const proxies = new Map<string, TcpProxy>();

parentPort?.on('message', async (order: ProxyOrder) => {
  parentPort?.postMessage({ id: order.id, value: await obey(order) });
});

async function obey({ name, call, value }: ProxyOrder): Promise<number | undefined> {
  if (call === 'open') {
    const proxy = await startTcpProxy({ targetPort: value });
    proxies.set(name, proxy);
    return proxy.port;
  }
  const proxy = proxies.get(name)!;
  if (call === 'slow') proxy.setLatencyMs(value);
  else {
    await proxy.refuse(call === 'refuse');
    if (call === 'refuse') proxy.cutAll();
  }
  return undefined;
}
