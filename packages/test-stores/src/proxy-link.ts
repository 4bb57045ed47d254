import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

export interface ProxyFaults {
  latencyMs: number;
  isBlackhole: boolean;
  cutAfterBytes: number | undefined;
}

/** Held back by latency in one direction; past it the sender is not read until some are delivered. */
const heldBytesMax = 16_777_216;

/** One connection through the proxy: two sockets, and the bytes that latency holds back between them. */
export class ProxyLink {
  readonly #client: Socket;
  readonly #target: Socket;
  readonly #faults: ProxyFaults;
  readonly #stop = new AbortController();
  #isHoled = false;
  #passedBytes = 0;

  constructor(client: Socket, targetPort: number, faults: ProxyFaults, onEnd: () => void) {
    this.#client = client;
    this.#faults = faults;
    this.#target = connect({ port: targetPort, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    this.#forward(client, this.#target);
    this.#forward(this.#target, client);
    const end = () => {
      if (faults.isBlackhole && !this.#stop.signal.aborted) {
        this.#isHoled = true;
        return;
      }
      this.cut();
      onEnd();
    };
    for (const socket of [client, this.#target]) {
      socket.on('error', () => undefined);
      socket.once('close', end);
    }
    this.#stop.signal.addEventListener('abort', onEnd);
  }

  cut(): void {
    this.#stop.abort();
    this.#client.destroy();
    this.#target.destroy();
  }

  cutIfHoled(): void {
    if (this.#isHoled) this.cut();
  }

  countAnew(): void {
    this.#passedBytes = 0;
  }

  /** In order, also when the latency changes while bytes are held back. */
  #forward(from: Socket, to: Socket): void {
    let tail = Promise.resolve();
    let heldBytes = 0;
    const pass = (bytes: number, deliver: () => void) => {
      const dueMs = performance.now() + this.#faults.latencyMs / 2;
      heldBytes += bytes;
      if (heldBytes > heldBytesMax) from.pause();
      tail = tail.then(async () => {
        const waitMs = dueMs - performance.now();
        if (waitMs > 0) await delay(waitMs, undefined, { signal: this.#stop.signal }).catch(() => undefined);
        heldBytes -= bytes;
        if (heldBytes <= heldBytesMax && from.isPaused()) from.resume();
        if (!this.#stop.signal.aborted) deliver();
      });
    };
    from.on('data', (chunk: Buffer) => pass(chunk.length, () => this.#deliver(chunk, to)));
    from.on('end', () => pass(0, () => this.#deliverEnd(to)));
  }

  #deliver(chunk: Buffer, to: Socket): void {
    if (this.#faults.isBlackhole) {
      this.#isHoled = true;
      return;
    }
    const most = this.#faults.cutAfterBytes;
    const left = most === undefined ? Number.POSITIVE_INFINITY : most - this.#passedBytes;
    this.#passedBytes += chunk.length;
    if (chunk.length < left) to.write(chunk);
    else to.write(chunk.subarray(0, Math.max(0, left)), () => this.cut());
  }

  #deliverEnd(to: Socket): void {
    if (this.#faults.isBlackhole) this.#isHoled = true;
    else to.end();
  }
}
