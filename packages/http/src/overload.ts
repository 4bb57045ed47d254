import { ApiError, limits } from '@bandit/contracts';
import underPressure from '@fastify/under-pressure';
import type { FastifyInstance } from 'fastify';

/** Past this event-loop delay a request is refused at once instead of waiting its turn and timing out. */
export async function useOverloadShedding(app: FastifyInstance): Promise<void> {
  await app.register(underPressure, {
    maxEventLoopDelay: limits.eventLoopDelayMsMax,
    sampleInterval: 500,
    pressureHandler: (request) => {
      // Health and metrics must answer while the rest is shed.
      if (request.routeOptions.config.isUnlimited === true) return;
      throw new ApiError('OVERLOADED', 'the service is overloaded: try again');
    },
  });
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Never shed and never rate limited: health and metrics. */
    isUnlimited?: boolean;
  }
}
