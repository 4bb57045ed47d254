export { ConfigError } from './config-error.ts';
export type { ConfigNeeds } from './config-needs.ts';
export { describeConfig } from './describe-config.ts';
export { type AiConfig, type Config, loadConfig } from './load-config.ts';
export type { Environment } from './schema.ts';
