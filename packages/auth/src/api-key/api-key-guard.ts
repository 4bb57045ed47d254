import { timingSafeEqual } from 'node:crypto';
import { ApiError, type ApiKeyScope, type ApiKeySnapshot } from '@bandit/contracts';
import type { FastifyRequest, onRequestHookHandler } from 'fastify';
import { keySecurity, withSecurity } from '../guard-security.ts';
import { setPrincipal } from '../principal.ts';
import { hashSecret, type ParsedApiKey, parseApiKey } from './api-key-form.ts';
import { readApiKey, unauthorized } from './read-api-key.ts';

export interface ApiKeyGuardDeps {
  /** From memory; revoked keys are not there. */
  readonly findKey: (keyId: string) => ApiKeySnapshot | undefined;
  /** The slow way for ids that memory does not know; bounded by its owner. */
  readonly loadKey: (keyId: string) => Promise<ApiKeySnapshot | undefined>;
  /** Database time. */
  readonly nowMs: () => number;
  /** Told of each use; must return at once. */
  readonly onUsed?: (companyId: string, apiKeyId: string) => void;
}

export interface ApiKeyGuard {
  /** The hook of routes that need this scope. Without a promise where the key is in memory. */
  require(scope: ApiKeyScope): onRequestHookHandler;
  /** The same check as a promise, for routes that take other credentials too. */
  check(request: FastifyRequest, scope: ApiKeyScope): Promise<void>;
}

/** One answer for every key that is not good: nothing tells an unknown id from a wrong secret. */
const refusal = 'the API key is not valid';

export function createApiKeyGuard(deps: ApiKeyGuardDeps): ApiKeyGuard {
  const admit = (
    request: FastifyRequest,
    parsed: ParsedApiKey,
    record: ApiKeySnapshot | undefined,
    scope: ApiKeyScope,
  ) => {
    if (record === undefined || !isSecretOf(parsed, record)) throw unauthorized(refusal);
    if (record.expiresAtMs !== undefined && record.expiresAtMs <= deps.nowMs())
      throw unauthorized('the API key has expired');
    if (!record.scopes.includes(scope)) {
      throw new ApiError(
        'FORBIDDEN',
        `the API key lacks the scope ${scope}; it has ${record.scopes.join(', ') || 'none'}`,
      );
    }
    setPrincipal(request, { kind: 'key', companyId: record.companyId, apiKeyId: record.id });
    deps.onUsed?.(record.companyId, record.id);
  };
  const parse = (request: FastifyRequest): ParsedApiKey => {
    const parsed = parseApiKey(readApiKey(request.headers));
    if (parsed === undefined) throw unauthorized(refusal);
    return parsed;
  };
  const check = async (request: FastifyRequest, scope: ApiKeyScope): Promise<void> => {
    const parsed = parse(request);
    const record = deps.findKey(parsed.keyId) ?? (await deps.loadKey(parsed.keyId));
    admit(request, parsed, record, scope);
  };
  const makeHook =
    (scope: ApiKeyScope): onRequestHookHandler =>
    (request, _reply, done) => {
      try {
        const parsed = parse(request);
        const record = deps.findKey(parsed.keyId);
        if (record === undefined) {
          deps
            .loadKey(parsed.keyId)
            .then((loaded) => admit(request, parsed, loaded, scope))
            .then(() => done(), done);
          return;
        }
        admit(request, parsed, record, scope);
        done();
      } catch (error) {
        done(error as Error);
      }
    };
  return { check, require: (scope) => withSecurity(makeHook(scope), keySecurity) };
}

function isSecretOf(parsed: ParsedApiKey, record: ApiKeySnapshot): boolean {
  const given = hashSecret(parsed.secret);
  return given.length === record.secretHash.length && timingSafeEqual(given, record.secretHash);
}
