/** The closed list of machine codes: clients match on these, never on the sentence. */
export const errorCodes = {
  VALIDATION_ERROR: 400,
  MALFORMED_JSON: 400,
  MALFORMED_REQUEST: 400,
  EXPERIMENT_NOT_ACTIVE: 400,
  EXPERIMENT_NO_TREATMENTS: 400,
  INVALID_TRANSITION: 400,
  FIELD_NOT_CHANGEABLE: 400,
  TREATMENT_NOT_IN_EXPERIMENT: 400,
  LAST_TREATMENT: 400,
  TOO_MANY_TREATMENTS: 400,
  CONTROL_EXISTS: 400,
  UNKNOWN_EXPERIMENT_IN_FUNNEL: 400,
  FUNNEL_COMPLETED: 400,
  MALFORMED_ID: 400,
  LAST_ADMIN: 400,
  NO_TREATMENTS_TO_LEARN_FROM: 400,
  LIMIT_REACHED: 400,
  UNAUTHORIZED: 401,
  FORBIDDEN: 403,
  ROUTE_NOT_FOUND: 404,
  EXPERIMENT_NOT_FOUND: 404,
  TREATMENT_NOT_FOUND: 404,
  ASSIGNMENT_NOT_FOUND: 404,
  ASSIGNMENT_EXPIRED: 404,
  FUNNEL_NOT_FOUND: 404,
  NO_ASSIGNMENTS_FOR_USER: 404,
  API_KEY_NOT_FOUND: 404,
  MEMBER_NOT_FOUND: 404,
  REQUEST_TIMEOUT: 408,
  DUPLICATE_EVENT: 409,
  REWARD_ALREADY_RECORDED: 409,
  EMAIL_TAKEN: 409,
  BODY_TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
  RATE_LIMITED: 429,
  HEADERS_TOO_LARGE: 431,
  INTERNAL_ERROR: 500,
  AI_PROVIDER_FAILED: 502,
  AI_NOT_CONFIGURED: 503,
  AI_BUSY: 503,
  OVERLOADED: 503,
  STORE_UNAVAILABLE: 503,
  SHUTTING_DOWN: 503,
  SERVICE_UNAVAILABLE: 503,
  MULTI_STATUS_ALL_FAILED: 207,
} as const;

export type ErrorCode = keyof typeof errorCodes;

/**
 * A failure with a documented answer. `message` names the thing, the value received and what is allowed; it goes
 * to the client as it is, so it never holds a secret, an SQL text or another tenant's data.
 */
export class ApiError extends Error {
  readonly code: ErrorCode;
  readonly statusCode: number;
  readonly details: Readonly<Record<string, unknown>> | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options: { details?: Readonly<Record<string, unknown>>; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'ApiError';
    this.code = code;
    this.statusCode = errorCodes[code];
    this.details = options.details;
  }
}
