/** Database time: a local monotonic clock plus an offset refreshed with each poll. Milliseconds since the epoch. */
export type NowMs = () => number;
