export { createDirectory, type Directory, type DirectoryDeps, type DirectoryLog } from './directory.ts';
export { createKeyUsage, type KeyUsage, type KeyUsageDeps, type KeyUse } from './key-usage.ts';
