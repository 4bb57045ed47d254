import { limits, type NowMs } from '@bandit/contracts';
import type { CacheLog } from './cache-log.ts';
import { NodeBreaker } from './node-breaker.ts';
import type { RedisClient } from './redis-client.ts';

export interface NodeBreakersDeps {
  readonly client: Pick<RedisClient, 'nodes' | 'ping'>;
  readonly slowMs: number;
  readonly nowMs: NowMs;
  readonly log: CacheLog;
}

/**
 * One breaker per Redis node, made when the node is first used: a dead master of a cluster costs its own keys their
 * cache and the others nothing. A node that owns no slots any more is forgotten with its breaker; its successor starts
 * with a closed one, so a failover heals by itself.
 */
export class NodeBreakers {
  readonly #deps: NodeBreakersDeps;
  readonly #breakers = new Map<string, NodeBreaker>();

  constructor(deps: NodeBreakersDeps) {
    this.#deps = deps;
  }

  of(node: string): NodeBreaker {
    const known = this.#breakers.get(node);
    if (known !== undefined) return known;
    const made = this.#make(node);
    this.#breakers.set(node, made);
    return made;
  }

  isAnyOpen(): boolean {
    return this.#deps.client.nodes().some((node) => this.#breakers.get(node)?.isOpen());
  }

  areAllOpen(): boolean {
    return this.#deps.client.nodes().every((node) => this.#breakers.get(node)?.isOpen());
  }

  end(): void {
    for (const breaker of this.#breakers.values()) breaker.end();
  }

  #make(node: string): NodeBreaker {
    const { client, slowMs, nowMs, log } = this.#deps;
    return new NodeBreaker({
      probe: async () => {
        this.#forgetStrangers();
        await client.ping(node);
      },
      failuresInARowMax: limits.cacheFailuresInARowMax,
      failuresWindowMs: limits.cacheFailuresWindowMs,
      probeIntervalMs: limits.storeProbeIntervalMs,
      slowMs,
      nowMs,
      onOpen: () =>
        log.warn({ node }, 'a node of the assignment cache does not answer in time: nobody asks it for now'),
      onClose: () => log.info({ node }, 'the node of the assignment cache answers in time again'),
    });
  }

  #forgetStrangers(): void {
    const nodes = this.#deps.client.nodes();
    for (const [node, breaker] of this.#breakers) {
      if (nodes.includes(node)) continue;
      breaker.end();
      this.#breakers.delete(node);
    }
  }
}
