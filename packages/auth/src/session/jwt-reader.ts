import fastifyJwt from '@fastify/jwt';
import type { FastifyInstance } from 'fastify';

const clockToleranceMs = 15_000;

export interface JwtReader {
  /** The claims of a token signed with one of the secrets and not expired; undefined else. */
  read(token: string, nowMs: number): Record<string, unknown> | undefined;
}

/**
 * Plain signed JWTs (HS256, `exp` required) through @fastify/jwt, one namespace a secret so that secrets can be rotated.
 *
 * @param secrets newest first; none: every token is refused
 */
export async function createJwtReader(app: FastifyInstance, secrets: readonly string[]): Promise<JwtReader> {
  for (const [index, secret] of secrets.entries()) {
    await app.register(fastifyJwt, {
      secret,
      namespace: `session${index}`,
      jwtVerify: `verifySession${index}`,
      jwtSign: `signSession${index}`,
      jwtDecode: `decodeSession${index}`,
    });
  }
  const verifiers = app.jwt as unknown as Record<string, Verifier>;
  return {
    read: (token, nowMs) => {
      for (let index = 0; index < secrets.length; index += 1) {
        const payload = verify(verifiers[`session${index}`] as Verifier, token, nowMs);
        if (payload !== undefined) return payload;
      }
      return undefined;
    },
  };
}

interface Verifier {
  verify(token: string, options: Record<string, unknown>): Record<string, unknown>;
}

function verify(verifier: Verifier, token: string, nowMs: number): Record<string, unknown> | undefined {
  try {
    return verifier.verify(token, {
      algorithms: ['HS256'],
      requiredClaims: ['exp'],
      clockTimestamp: nowMs,
      clockTolerance: clockToleranceMs,
    });
  } catch {
    return undefined;
  }
}
