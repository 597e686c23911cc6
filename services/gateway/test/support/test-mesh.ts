import { readFileSync } from 'node:fs';
import type { Bus } from '@plexus/bus';
import { BUCKETS } from '@plexus/contracts';
import { type PreparedState, prepareState } from '@plexus/local-stack';
import { createLogger, loadConfig, type RunningService, startService } from '@plexus/service-kit';
import { connectTestBus, startTestNats, type TestNats, type ThrowAwayFolder, throwAwayFolder } from '@plexus/testing';
import { importJWK, type JWTPayload, SignJWT } from 'jose';
import { z } from 'zod';
import { gatewayService } from '../../src/gateway.module.js';

type Role = 'routing' | 'push' | 'memory' | 'scheduler';

/** A NATS server with the permissions of production, the stream plan and two tenants; services and gateways are started on it. */
export class TestMesh {
  private readonly services: RunningService[] = [];

  private constructor(
    readonly nats: TestNats,
    readonly state: PreparedState,
    /** May do everything. */
    readonly operator: Bus,
    private readonly folder: ThrowAwayFolder,
  ) {}

  static async start(): Promise<TestMesh> {
    const folder = throwAwayFolder('gateway');
    const state = await prepareState(folder.path, { PLEXUS_TOKEN: 'the-shared-token-of-this-test' });
    const nats = await startTestNats({ users: state.natsUsers });
    const operator = await connectTestBus(nats.url, { credentials: { nkeySeed: readSeed(state, 'operator') }, apply: true });
    const config = await operator.kv(BUCKETS.config);
    await config.put('_', { tenants: { default: { defaultOwner: 'me', keys: [state.publicKey] }, other: { keys: [state.publicKey] } } });
    await config.put('default', { agents: { list: [{ id: 'main', default: true, model: 'big/one' }] } });
    return new TestMesh(nats, state, operator, folder);
  }

  get token(): string {
    return this.state.token;
  }

  /** The environment of one service. */
  env(role: string): Record<string, string> {
    return {
      NATS_URL: this.nats.url,
      NATS_NKEY_SEED_FILE: this.state.paths.nkeySeed(role),
      LOG_LEVEL: process.env.TEST_LOG ?? 'silent',
      SHUTDOWN_TIMEOUT_MS: '3000',
    };
  }

  /** A service of that role without handlers; what it answers is served on its bus. */
  async standIn(role: Role): Promise<Bus> {
    const service = await this.startInProcess({ name: role, config: z.object({}), needs: {}, create: async () => ({ module: StandInModule }) }, this.env(role));
    return service.context.bus;
  }

  /** A gateway in this process, on a free port. */
  async gateway(settings: Record<string, string> = {}): Promise<TestGateway> {
    const env = { ...this.env('gateway'), GATEWAY_PORT: '0', GATEWAY_TOKEN_FILE: this.state.paths.token, GATEWAY_VM_BEAT_MS: '50', ...settings };
    const service = await this.startInProcess(gatewayService, env);
    const { ws, http } = service.extra as { ws: string; http: string };
    return { ws, http, internal: service.internalUrl, stop: async () => void (await service.stop('test')) };
  }

  /** A JWT of a user, as `plexus token mint` makes it. */
  async jwt(claims: JWTPayload & { tenant?: string }, lifetimeSeconds = 600): Promise<string> {
    const jwk = JSON.parse(readFileSync(this.state.paths.signingKey, 'utf8'));
    const now = Math.floor(Date.now() / 1_000);
    return new SignJWT({ tenant: 'default', scopes: ['operator.read', 'operator.write'], ...claims })
      .setProtectedHeader({ alg: 'EdDSA', kid: jwk.kid })
      .setIssuedAt(now)
      .setExpirationTime(now + lifetimeSeconds)
      .sign(await importJWK(jwk, 'EdDSA'));
  }

  async stop(): Promise<void> {
    for (const service of this.services.splice(0).reverse()) await service.stop('test');
    await this.operator.close();
    await this.nats.stop();
    this.folder.remove();
  }

  private async startInProcess(definition: Parameters<typeof startService>[0], env: Record<string, string>): Promise<RunningService> {
    const config = loadConfig(definition.config, env);
    if (!config.ok) throw new Error(config.error.map(({ sentence }) => sentence).join('; '));
    const log = createLogger({ service: definition.name, instanceId: 'test', level: config.value.LOG_LEVEL });
    const service = await startService(definition, { config: config.value, log });
    this.services.push(service);
    return service;
  }
}

export interface TestGateway {
  readonly ws: string;
  readonly http: string;
  readonly internal: string;
  stop(): Promise<void>;
}

class StandInModule {}

function readSeed(state: PreparedState, role: string): string {
  return readFileSync(state.paths.nkeySeed(role), 'utf8').trim();
}
