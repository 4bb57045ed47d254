import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';

/** Names a migrated template: 16 hexadecimal digits over the text of every migration. */
export function hashMigrations(): string {
  const folder = new URL('../migrations/', import.meta.url);
  const hash = createHash('sha256');
  for (const name of readdirSync(folder).sort())
    hash.update(name).update(readFileSync(new URL(name, folder)));
  return hash.digest('hex').slice(0, 16);
}
