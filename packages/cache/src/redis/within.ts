export const late = Symbol('late');

/**
 * The promise's outcome, or `late` after `ms`. The work behind it is not stopped: its outcome is dropped. Timers come
 * before sockets in a turn of the event loop, so when this process itself was busy for longer than `ms` what has
 * arrived meanwhile is read first: a pause of ours is not a failure of the other side.
 */
export function within<T>(promise: Promise<T>, ms: number): Promise<T | typeof late> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => setImmediate(resolve, late), ms);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
