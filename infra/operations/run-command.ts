import { ConfigError, loadConfig } from '@bandit/config';
import type { DatabaseLog } from '@bandit/db';

/** What a command says beside its answer goes to stderr: the answer alone stands on stdout. */
export const commandLog: DatabaseLog = {
  info: (_details, message) => console.error(message),
  warn: (details, message) => console.error(message, details),
  error: (details, message) => console.error(message, details),
};

/** A mistake of whoever called: told in one sentence, with the exit code. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Runs a command to its end and sets the exit code: 0, 2 for a wrong call or configuration, else what the command says. */
export async function runCommand(owner: NodeJS.Process, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const isExpected = error instanceof ConfigError || error instanceof CommandError;
    console.error(isExpected ? error.message : describe(error));
    if (error instanceof CommandError) owner.exitCode = error.exitCode;
    else owner.exitCode = error instanceof ConfigError || isWrongCall(error) ? 2 : 1;
  }
}

/** The value of --email, as it is stored. @throws CommandError when it is missing or none */
export function readEmail(given: string | undefined, whose: string): string {
  if (given === undefined || !/^[^@\s]+@[^@\s]+$/.test(given))
    throw new CommandError(`--email must be the e-mail of ${whose}`, 2);
  return given.toLowerCase();
}

/** The configuration of a command that works on a real database. */
export function loadCommandConfig(env: NodeJS.ProcessEnv, what: string) {
  const config = loadConfig(env, {
    stores: { DATABASE_URL: `it names the database to ${what}; the embedded one does that by itself` },
    sessions: false,
  });
  return { ...config, databaseUrl: config.databaseUrl as string };
}

function isWrongCall(error: unknown): boolean {
  return String((error as { code?: unknown }).code).startsWith('ERR_PARSE_ARGS');
}

/** The sentence alone: an error of the driver carries its connection with all that it knows. */
function describe(error: unknown): string {
  const { message, code } = error as { message?: string; code?: string };
  return message || code || String(error);
}
