export { type MadeApiKey, makeApiKey, type ParsedApiKey, parseApiKey } from './api-key/api-key-form.ts';
export { type ApiKeyGuard, type ApiKeyGuardDeps, createApiKeyGuard } from './api-key/api-key-guard.ts';
export { carriesApiKey } from './api-key/read-api-key.ts';
export { type AssignmentIdCodec, createAssignmentIdCodec } from './assignment-id/assignment-id-codec.ts';
export { type MacKey, unwrapMacKey, wrapMacKey } from './assignment-id/mac-keys.ts';
export { keySecurity, sessionSecurity, withSecurity } from './guard-security.ts';
export { findPrincipal, getPrincipal, type Principal } from './principal.ts';
export { createJwtReader, type JwtReader } from './session/jwt-reader.ts';
export { createNextAuthReader, type NextAuthReader } from './session/next-auth-tokens.ts';
export {
  createSessionGuard,
  type Member,
  type SessionGuard,
  type SessionGuardDeps,
} from './session/session-guard.ts';
export { createProxyTrust, type ProxyTrust } from './session/trusted-proxies.ts';
