import { toAnswerable } from '@bandit/db';
import type { FastifyPluginAsync } from 'fastify';
import { registerApiKeys } from './api-keys/register-api-keys.ts';
import type { App } from './app.ts';
import { registerAuditLog } from './audit-log/register-audit-log.ts';
import { registerCompanies } from './companies/register-companies.ts';
import { registerEvents } from './events/register-events.ts';
import { registerExperiments } from './experiments/register-experiments.ts';
import { registerFunnels } from './funnels/register-funnels.ts';
import type { ManagementDeps } from './management-deps.ts';
import { registerMembers } from './members/register-members.ts';
import { registerResults } from './results/register-results.ts';
import { registerSubjects } from './subjects/register-subjects.ts';
import { registerVariants } from './variants/register-variants.ts';

/** A feature's routes; each folder has one. */
export type Feature = (app: App, deps: ManagementDeps) => void;

const features: readonly Feature[] = [
  registerApiKeys,
  registerAuditLog,
  registerCompanies,
  registerEvents,
  registerExperiments,
  registerFunnels,
  registerMembers,
  registerResults,
  registerSubjects,
  registerVariants,
];

/** The management routes as a plugin. It opens nothing; the caller owns what is in `deps`. */
export function buildApp(deps: ManagementDeps): FastifyPluginAsync {
  return async (fastify) => {
    const app = fastify as App;
    // Thrown on to the server's own handler, which writes the envelope.
    app.setErrorHandler((error) => {
      throw toAnswerable(error);
    });
    app.addHook('preValidation', async (request) => replaceNulls(request.params));
    for (const register of features) register(app, deps);
  };
}

/** Postgres has no text with a NUL in it: such an id becomes another that names nothing, and answers like one. */
function replaceNulls(params: unknown): void {
  const values = params as Record<string, string>;
  for (const [name, value] of Object.entries(values)) values[name] = value.replaceAll('\0', '\ufffd');
}
