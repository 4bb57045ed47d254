import { countCompanies, type OpenedDatabase } from '@bandit/db';
import { createCompany } from '@bandit/management';

export interface FirstRun {
  readonly companyId: string;
  readonly adminEmail: string;
  /** Shown once. */
  readonly apiKey: string;
}

/** On an empty database: a company, its admin and an API key. undefined when there is a company already. */
export async function makeFirstCompany(
  db: OpenedDatabase['db'],
  deps: Parameters<typeof createCompany>[0],
  adminEmail: string,
): Promise<FirstRun | undefined> {
  if ((await countCompanies(db)) > 0) return undefined;
  const company = await createCompany(deps, { name: 'My company', adminEmail });
  return { companyId: company.id, adminEmail, apiKey: company.apiKey };
}
