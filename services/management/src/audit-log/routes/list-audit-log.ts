import { auditEntrySchema, limits, paginationSchema, succeed } from '@bandit/contracts';
import { listAuditEntries, withCompany } from '@bandit/db';
import { Type } from '@sinclair/typebox';
import { answers } from '../../answers.ts';
import type { App } from '../../app.ts';
import type { ManagementDeps } from '../../management-deps.ts';
import { presentAuditEntry } from '../present-audit-entry.ts';

const example = {
  id: 'aud_abc123',
  seq: 17,
  actor: 'mbr_abc123',
  action: 'experiment.update',
  target: 'exp_abc123',
  details: { status: 'ACTIVE' },
  at: '2026-01-15T10:00:00.000Z',
  previousHash: '0'.repeat(64),
  hash: 'a'.repeat(64),
};

export function registerListAuditLog(app: App, deps: ManagementDeps): void {
  app.get(
    '/audit-log',
    {
      onRequest: deps.access.admin,
      schema: {
        operationId: 'listAuditLog',
        tags: ['Administration'],
        summary:
          'Every change of the company, newest first, hash-chained; X-Total-Count tells how many there are',
        querystring: paginationSchema,
        response: answers(200, Type.Array(auditEntrySchema), [example], [400, 403]),
      },
    },
    async (request, reply) => {
      const { companyId } = deps.access.callerOf(request);
      const { limit = limits.eventListLimitDefault, offset = 0 } = request.query;
      const page = { limit, offset };
      const { rows, total } = await withCompany(deps.db, companyId, (trx) =>
        listAuditEntries(trx, companyId, page),
      );
      return reply.header('x-total-count', total).send(succeed(rows.map(presentAuditEntry), deps.nowMs()));
    },
  );
}
