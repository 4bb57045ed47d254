/**
 * Management: `buildApp(deps)` makes the routes' plugin, `createManagementRuntime(deps)` what runs beside them, and
 * `createCompany(deps, { name, adminEmail })` the first tenant of an empty database. `connectAi` makes `deps.ai` of the
 * operator's AI settings; close it after the app.
 */
export type { Access, Caller } from './access.ts';
export type { MadeApiKey } from './api-keys/create-api-key.ts';
export { buildApp } from './build-app.ts';
export { createCompany } from './companies/create-company.ts';
export type { ManagementDeps } from './management-deps.ts';
export { createManagementRuntime, type ManagementRuntime } from './management-runtime.ts';
export { openManagement } from './open-management.ts';
export { type AiConnection, type AiDeps, connectAi } from './variants/connect-ai.ts';
export type { AiSettings } from './variants/providers/create-provider.ts';
