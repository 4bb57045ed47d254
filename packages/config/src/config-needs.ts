/** What the caller cannot do without. */
export interface ConfigNeeds {
  /** Stores that must be named, each with what for. */
  readonly stores?: Readonly<Partial<Record<StoreVariable, string>>>;
  /** False where nobody signs in. Default: true. */
  readonly sessions?: boolean;
}

export type StoreVariable = 'DATABASE_URL' | 'NATS_URL' | 'REDIS_URL';
