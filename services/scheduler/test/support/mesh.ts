import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { applyStreams, type Bus } from '@plexus/bus';
import { BUCKETS, type InputOf, type Principal, type ResponseOf, type RpcContract, SCOPES } from '@plexus/contracts';
import { createPool, type PostgresDatabase } from '@plexus/database';
import {
  connectTestBus,
  createTestDatabase,
  expectGone,
  marked,
  startTestNats,
  type TestDatabase,
  type TestNats,
  type ThrowAwayFolder,
  throwAwayFolder,
} from '@plexus/testing';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT } from 'jose';
import { SchedulerProcess } from './scheduler-process.js';

const here = path.dirname(fileURLToPath(import.meta.url));
export const prismaFolder = path.join(here, '../../prisma');
export const fixture = (name: string): string => path.join(here, '../fixtures', name);

export const TENANT = 'acme';
/** For calls of a test, whatever their contract says: how fast a busy machine answers is not what is tested. */
export const PATIENCE_MS = 70_000;

/** Real NATS and Postgres, any number of real scheduler processes, and the test as the gateway. */
export class SchedulerMesh {
  private readonly processes: SchedulerProcess[] = [];
  private queries = 0;
  /** How long a call waits for its answer; whoever kills schedulers that have calls in their hands waits less. */
  patienceMs = PATIENCE_MS;

  private constructor(
    readonly nats: TestNats,
    readonly bus: Bus,
    readonly database: TestDatabase,
    private readonly pool: PostgresDatabase,
    readonly state: ThrowAwayFolder,
    private readonly sign: (principal: Principal) => Promise<string>,
  ) {}

  /** On a database of its own, or on a given one that is migrated already. */
  static async start(given?: TestDatabase): Promise<SchedulerMesh> {
    const [nats, database] = await Promise.all([startTestNats(), given ?? createTestDatabase(path.join(prismaFolder, 'migrations'), 'scheduler')]);
    const bus = await connectTestBus(nats.url, { service: 'gateway' });
    await applyStreams(bus, { maxBytesCap: 16 * 1024 * 1024 });
    await (await bus.kv(BUCKETS.config)).put('_', { tenants: { [TENANT]: {}, other: {} } });
    const { publicKey, privateKey } = await generateKeyPair('EdDSA');
    const jwk = await exportJWK(publicKey);
    const kid = await calculateJwkThumbprint(jwk);
    await (await bus.kv(BUCKETS.keys)).put(`gateway.${kid}`, { ...jwk, kid });
    const sign = (principal: Principal): Promise<string> =>
      new SignJWT({ tenant: principal.tenant, sub: principal.user, role: principal.role, scopes: principal.scopes, cid: principal.credentialId })
        .setProtectedHeader({ alg: 'EdDSA', kid, typ: 'plexus-principal+jwt' })
        .setIssuer('gateway')
        .setAudience('plexus')
        .setIssuedAt()
        .setExpirationTime('60s')
        .sign(privateKey);
    const pool = createPool({ url: database.url, schema: 'scheduler', applicationName: 'test', max: 2 });
    return new SchedulerMesh(nats, bus, database, pool, throwAwayFolder('scheduler'), sign);
  }

  /** Marker of every process of this mesh. */
  get cluster(): string {
    return `test-${path.basename(this.state.path)}`;
  }

  /** Every scheduler of this mesh, those that are still starting too. */
  get schedulerPids(): ReadonlySet<number> {
    return new Set(this.processes.map(({ pid }) => pid));
  }

  /** Exactly one scheduler with these settings: one that runs already, or a new one in place of all others. */
  async only(environment: Record<string, string> = {}): Promise<SchedulerProcess> {
    const fits = this.processes.findIndex((process_) => process_.isAlive && JSON.stringify(process_.settings) === JSON.stringify(environment));
    const [kept] = fits < 0 ? [] : this.processes.splice(fits, 1);
    await this.endSchedulers();
    if (kept === undefined) return this.scheduler(environment);
    this.processes.push(kept);
    return kept;
  }

  /** One more scheduler. */
  async scheduler(environment: Record<string, string> = {}): Promise<SchedulerProcess> {
    const process_ = SchedulerProcess.spawn(environment, {
      NATS_URL: this.nats.url,
      DATABASE_URL: this.database.url,
      PLEXUS_STATE_DIR: this.state.path,
      PLEXUS_CLUSTER: this.cluster,
      CONTROL_PLANE_WS: 'ws://127.0.0.1:1/ws/vm',
      RUNTIME_ENTRY: fixture('fake-runtime.mjs'),
      VM_TOKEN_SECRET: SECRET,
      SHUTDOWN_TIMEOUT_MS: '3000',
      // The test is the gateway: a runtime to which it does not connect (yet) has not failed, however slow the machine is.
      VM_BOOT_MS: '600000',
      PLEXUS_MODEL_API_KEY: MODEL_KEY,
      NODE_ENV: 'test',
      // What a runtime is given, and one that is none of its business.
      PLEXUS_MODEL: 'm1',
      LANG: 'C.UTF-8',
      SOME_PRIVATE_SETTING: 'x',
      ...environment,
    });
    this.processes.push(process_);
    await process_.ready();
    return process_;
  }

  /** A call as a person would make it through the gateway. */
  async asUser<C extends RpcContract>(user: string, rpc: C, data: InputOf<C>, scopes: string[] = [SCOPES.write]): Promise<ResponseOf<C>> {
    return this.bus.call(rpc, TENANT, data, {
      token: await this.sign({ tenant: TENANT, user, role: 'user', scopes, credentialId: 'test' }),
      timeoutMs: this.patienceMs,
    });
  }

  /** A call of whoever it is, as the gateway vouches for them. */
  async as<C extends RpcContract>(principal: Principal, rpc: C, data: InputOf<C>): Promise<ResponseOf<C>> {
    return this.bus.call(rpc, principal.tenant, data, { token: await this.sign(principal), timeoutMs: this.patienceMs });
  }

  /** A call of somebody who administers the tenant, as the gateway makes it. */
  async asOperator<C extends RpcContract>(user: string, rpc: C, data: InputOf<C>): Promise<ResponseOf<C>> {
    return this.bus.call(rpc, TENANT, data, {
      token: await this.sign({ tenant: TENANT, user, role: 'operator', scopes: [SCOPES.admin], credentialId: 'test' }),
      timeoutMs: this.patienceMs,
    });
  }

  /** A call of the gateway itself. */
  async asGateway<C extends RpcContract>(rpc: C, data: InputOf<C>, tenant = '_'): Promise<ResponseOf<C>> {
    return this.bus.call(rpc, tenant, data, {
      token: await this.sign({ tenant, role: 'service', scopes: [], credentialId: 'test' }),
      timeoutMs: this.patienceMs,
    });
  }

  rows<R>(sql: string, parameters: unknown[] = []): Promise<R[]> {
    this.queries += 1;
    return this.pool.query<R>(`test_${this.queries}`, sql, parameters);
  }

  /** Ends every scheduler without ceremony. What they had claimed is free at once: that claims run out by themselves has tests of its own. */
  async endSchedulers(): Promise<void> {
    const ended = this.processes.splice(0);
    await Promise.all(ended.map((process_) => process_.end()));
    if (ended.length > 0) await this.releaseClaims();
  }

  /** Nothing waits for whoever had claimed it and was killed. */
  async releaseClaims(): Promise<void> {
    await this.rows('UPDATE vms SET claim_until = now() WHERE claim_until > now()');
  }

  /**
   * Between two tests on one mesh: ends the VMs that the first leaves and forgets its pools and the starts that failed. Nothing of them is started again, which would
   * fail for want of a gateway, open the breaker and cordon the host for whoever comes next. Their processes end in their own time.
   */
  async forgetVms(): Promise<void> {
    await this.rows('DELETE FROM warm_pools');
    await this.rows(
      `UPDATE vms SET desired_state = 'terminated', next_action_at = now(), row_version = row_version + 1 WHERE state NOT IN ('failed', 'terminated')`,
    );
    // After the wish: from then on none of those VMs counts as a start that failed.
    await this.rows('DELETE FROM provider_breakers');
    await this.rows('UPDATE hosts SET failures = 0, cordoned_until = NULL');
  }

  /** Ends everything, VMs too, and fails when a process of this mesh is still there. */
  async stop(): Promise<void> {
    await this.endSchedulers();
    const left = marked(this.cluster);
    for (const { pid } of left) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    }
    await expectGone(left);
    await this.bus.close();
    await this.pool.close();
    await this.nats.stop();
    await this.database.drop();
    this.state.remove();
  }
}

export const SECRET = 'kP3x-vX9q_7rT2mZ8wLb5nYc4hJd6sGf1aQe0uViRoB';
export const MODEL_KEY = 'sk-model-3f9b1c7e5a2d4f60';
