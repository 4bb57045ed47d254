import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { GeneratedSecrets } from '@bandit/process';

const fileName = 'secrets.json';

/**
 * Reads DATA_DIR/secrets.json, or makes it (mode 0600, flushed to disk before anything is signed with it).
 *
 * @throws when the file is there but cannot be read or is damaged: making new secrets would invalidate every id
 */
export async function loadLocalSecrets(dataDir: string): Promise<GeneratedSecrets> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const path = join(dataDir, fileName);
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new Error(`${path} cannot be read: ${error.message}`, { cause: error });
  });
  return text === undefined ? await makeSecrets(path) : parseSecrets(path, text);
}

async function makeSecrets(path: string): Promise<GeneratedSecrets> {
  const make = (): string => randomBytes(32).toString('base64url');
  const secrets: GeneratedSecrets = { assignment: make(), auth: make(), jwt: make() };
  const draft = `${path}.new`;
  const file = await open(draft, 'w', 0o600);
  try {
    await file.writeFile(`${JSON.stringify(secrets, null, 2)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  // Whole or not there: a crash in between leaves no half-written secrets.
  await rename(draft, path);
  return secrets;
}

function parseSecrets(path: string, text: string): GeneratedSecrets {
  try {
    const parsed = JSON.parse(text) as Partial<GeneratedSecrets>;
    const { assignment, auth, jwt } = parsed;
    if ([assignment, auth, jwt].every((secret) => typeof secret === 'string' && secret.length >= 32)) {
      return { assignment, auth, jwt } as GeneratedSecrets;
    }
  } catch {
    // Falls through: damaged is damaged, whether it parses or not.
  }
  throw new Error(
    `${path} is damaged: it must hold "assignment", "auth" and "jwt", each of at least 32 characters. ` +
      'Restore it from a backup; without it the assignment ids handed out so far cannot be verified.',
  );
}
