// Plain JavaScript on purpose, as infra/local/boot.js: an old Node is told so, and the compile cache serves the processes
// that are started from here too.
import '../../scripts/check-node.js';
import module from 'node:module';
import { fileURLToPath } from 'node:url';

const cacheDir = fileURLToPath(new URL('../../node_modules/.cache/node', import.meta.url));
process.env.NODE_COMPILE_CACHE = cacheDir;
module.enableCompileCache(cacheDir);
await import('./main.ts');
