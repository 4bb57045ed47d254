/** Every mistake of a configuration in one message. */
export class ConfigError extends Error {
  readonly mistakes: readonly string[];

  constructor(mistakes: readonly string[]) {
    const list = mistakes.map((mistake) => `  - ${mistake}`).join('\n');
    super(
      `The configuration has ${mistakes.length === 1 ? 'a mistake' : `${mistakes.length} mistakes`}:\n${list}`,
    );
    this.name = 'ConfigError';
    this.mistakes = mistakes;
  }
}
