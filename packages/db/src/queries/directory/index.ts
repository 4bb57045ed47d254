export { findApiKey } from './find-api-key.ts';
export { listCompanyVersions } from './list-company-versions.ts';
export { loadCompanies } from './load-companies.ts';
export * from './touch-api-keys.ts';
