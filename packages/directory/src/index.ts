export { createDirectory, type Directory, type DirectoryDeps, type DirectoryLog } from './directory.ts';
