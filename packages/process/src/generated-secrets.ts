/** Secrets of the embedded default: made once, kept beside the data and part of its backup. */
export interface GeneratedSecrets {
  /** Wraps the keys that sign assignment ids. Lost: ids that were handed out stop verifying. */
  readonly assignment: string;
  /** Session cookies (NextAuth, Auth.js) and signed JWTs. */
  readonly auth: string;
  readonly jwt: string;
}
