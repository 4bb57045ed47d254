export { createHttpServer, type HttpServer, type HttpServerOptions } from './create-http-server.ts';
export { endPolitely } from './end-politely.ts';
export { type HealthOptions, registerHealth } from './health.ts';
export { type ParseJsonOptions, parseJson } from './parse-json.ts';
export type { RateLimits } from './rate-limits.ts';
export { createShutdown, type Shutdown, type ShutdownStep } from './shutdown.ts';
export { validationError } from './validation-error.ts';
export { createStrictAjv, isInstant } from './validators.ts';
