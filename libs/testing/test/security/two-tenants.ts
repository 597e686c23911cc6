import { createHash, generateKeyPairSync, randomBytes, randomUUID, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Bus } from '@plexus/bus';
import { BUCKETS, SCOPES } from '@plexus/contracts';
import { statePaths } from '@plexus/local-stack';
import { connectTestBus, startTestMesh, type TestMesh, waitFor } from '../../src/index.js';

export interface HttpAnswer {
  readonly status: number;
  readonly text: string;
  readonly code: string | undefined;
}

const REQUEST_TIMEOUT_MS = 60_000;

/** One person of one tenant, with everything that an administrator may. */
export class Resident {
  private readonly key = generateKeyPairSync('ed25519');
  readonly kid = randomUUID();
  readonly token = randomBytes(24).toString('base64url');

  constructor(
    readonly tenant: string,
    readonly user: string,
    private readonly address: () => string,
  ) {}

  /** How the platform configuration knows this tenant. */
  get declaration(): object {
    const { kty, crv, x } = this.key.publicKey.export({ format: 'jwk' });
    const sha256 = createHash('sha256').update(this.token).digest('hex');
    return {
      defaultOwner: this.user,
      keys: [{ kty, crv, x, kid: this.kid, alg: 'EdDSA', use: 'sig' }],
      tokens: [{ id: `token-${this.tenant}`, sha256, user: this.user, role: 'operator', scopes: [SCOPES.admin] }],
    };
  }

  /** A token for calls over NATS, as an integrator would sign it. */
  jwt(): string {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const now = Math.floor(Date.now() / 1_000);
    const head = part({ alg: 'EdDSA', kid: this.kid, typ: 'JWT' });
    const body = part({ tenant: this.tenant, sub: this.user, scopes: [SCOPES.admin], role: 'operator', iat: now, exp: now + 600, jti: randomUUID() });
    return `${head}.${body}.${sign(null, Buffer.from(`${head}.${body}`), this.key.privateKey).toString('base64url')}`;
  }

  async ask(method: string, path: string, body?: unknown, headers: Readonly<Record<string, string>> = {}): Promise<HttpAnswer> {
    const isText = typeof body === 'string';
    const response = await fetch(`${this.address()}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.token}`,
        ...(body === undefined ? {} : { 'content-type': isText ? 'application/yaml' : 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: isText ? body : JSON.stringify(body) }),
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
    const text = await response.text();
    return { status: response.status, text, code: response.ok ? undefined : codeOf(text) };
  }

  /** A request that must succeed; tried again while services are still taking the tenant over. */
  async do<T>(method: string, path: string, body?: unknown, headers: Readonly<Record<string, string>> = {}): Promise<T> {
    const key = randomUUID();
    let last: HttpAnswer | undefined;
    const attempt = async () => {
      last = await this.ask(method, path, body, { 'idempotency-key': key, ...headers });
      return ![401, 403, 404, 429, 500, 502, 503, 504].includes(last.status);
    };
    await waitFor(attempt, { timeoutMs: 120_000, intervalMs: 250, what: `${method} ${path}` }).catch(() => undefined);
    if (last === undefined || last.status >= 300) throw new Error(`${method} ${path}: ${last?.status} ${last?.text}`);
    return (last.text === '' ? undefined : JSON.parse(last.text)) as T;
  }
}

function codeOf(text: string): string | undefined {
  try {
    return (JSON.parse(text) as { code?: string }).code;
  } catch {
    // Not a problem document: the status says enough.
    return undefined;
  }
}

/** A mesh with two tenants whose administrators have the same name: nothing but the tenant tells them apart. */
export interface TwoTenants {
  readonly mesh: TestMesh;
  /** Connection of the operator, which no permission of NATS holds back. */
  readonly operator: Bus;
  readonly attacker: Resident;
  readonly victim: Resident;
  stop(): Promise<void>;
}

export async function startTwoTenants(env: Readonly<Record<string, string>> = {}): Promise<TwoTenants> {
  const unlimited = { GATEWAY_HTTP_USER_PER_SECOND: '10000', GATEWAY_HTTP_USER_BURST: '10000', GATEWAY_HTTP_ADDRESS_PER_SECOND: '10000' };
  const mesh = await startTestMesh({ env: { ...unlimited, GATEWAY_HTTP_ADDRESS_BURST: '10000', ...env } });
  const seed = readFileSync(statePaths(mesh.stateDir).nkeySeed('operator'), 'utf8').trim();
  const operator = await connectTestBus(mesh.nats, { credentials: { nkeySeed: seed } });
  const [attacker, victim] = ['acme', 'globex'].map((tenant) => new Resident(tenant, 'bella', () => mesh.gateway.http)) as [Resident, Resident];
  const bucket = await operator.kv(BUCKETS.config);
  const stored = await bucket.get('_');
  const platform = stored?.json<{ tenants: object }>();
  const tenants = { ...platform?.tenants, acme: attacker.declaration, globex: victim.declaration };
  await bucket.put('_', { ...platform, tenants });
  for (const { tenant } of [attacker, victim]) await bucket.create(tenant, { agents: { list: [{ id: 'main', default: true }] } });
  return {
    mesh,
    operator,
    attacker,
    victim,
    stop: async () => {
      await operator.close();
      await mesh.stop();
    },
  };
}
