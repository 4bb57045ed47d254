import type { Platform, StoreName } from './open-platform.ts';

export const failures = ['killed', 'stopped', 'slow', 'refused'] as const;
export type Failure = (typeof failures)[number];

export interface Fault {
  begin(): Promise<void>;
  /** The store is back when this resolves: nobody else's hand is needed. */
  end(): Promise<void>;
}

const slowMs = 200;

export function faultOf({ stores, proxies }: Platform, name: StoreName, failure: Failure): Fault {
  const [store, proxy] = [stores[name], proxies[name]];
  switch (failure) {
    case 'killed':
      return { begin: () => store.kill('SIGKILL'), end: () => store.restart() };
    case 'stopped':
      return { begin: () => store.kill('SIGSTOP'), end: () => store.kill('SIGCONT') };
    case 'slow':
      return { begin: () => proxy.setLatencyMs(slowMs), end: () => proxy.setLatencyMs(0) };
    case 'refused':
      return { begin: proxy.refuse, end: proxy.accept };
  }
}
