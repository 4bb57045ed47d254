import { monitorEventLoopDelay } from 'node:perf_hooks';
import { ApiError, limits } from '@bandit/contracts';
import type { FastifyInstance } from 'fastify';

const sampleMs = 500;
const resolutionMs = 20;
/** A garbage collection or a compilation stalls the loop once; overload stalls it again and again. */
const samplesToShed = 2;

/**
 * While the event loop stays later than `eventLoopDelayMsMax`, requests are refused at once instead of waiting their turn
 * and timing out. Health and metrics answer while the rest is shed.
 *
 * @returns how late the loop was at the last look
 */
export function useOverloadShedding(app: FastifyInstance, onShed: () => void): { delaySeconds(): number } {
  const delay = monitorEventLoopDelay({ resolution: resolutionMs });
  let nLate = 0;
  let delayMs = 0;
  delay.enable();
  const timer = setInterval(() => {
    // NaN before the first measurement compares as not late.
    nLate = isLate(delay.mean) ? nLate + 1 : 0;
    delayMs = Math.max(0, latenessMs(delay.mean)) || 0;
    delay.reset();
  }, sampleMs);
  timer.unref();
  app.addHook('onClose', (_app, done) => {
    clearInterval(timer);
    delay.disable();
    done();
  });
  app.addHook('onRequest', (request, _reply, done) => {
    if (nLate < samplesToShed || request.routeOptions.config.isUnlimited === true) return done();
    onShed();
    done(new ApiError('OVERLOADED', 'the service is overloaded: try again'));
  });
  return { delaySeconds: () => delayMs / 1_000 };
}

/** @param meanNs nanoseconds between two turns of the loop, the resolution included */
export function isLate(meanNs: number): boolean {
  return latenessMs(meanNs) > limits.eventLoopDelayMsMax;
}

function latenessMs(meanNs: number): number {
  return meanNs / 1e6 - resolutionMs;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Never shed and never rate limited: health and metrics. */
    isUnlimited?: boolean;
  }
}
