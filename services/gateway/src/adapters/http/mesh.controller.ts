import { Controller, Get, Inject, Res } from '@nestjs/common';
import { plexusError, type Principal, SCOPES } from '@plexus/contracts';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import type { Credential } from '../../domain/caller.js';
import { Caller, CallerCredential, requireScope } from './caller.js';
import { Describe } from './describe.js';
import { HTTP_SERVICES, type HttpServices } from './http-services.js';

const count = z.number();
const Endpoint = z.object({ name: z.string(), subject: z.string(), requests: count, errors: count, averageMs: count });
const Replica = z.object({
  id: z.string(),
  instance: z.string(),
  version: z.string(),
  startedAt: z.string(),
  uptimeMs: count.optional(),
  ready: z.boolean().optional().describe('As of its last check; absent: it does not say.'),
  answers: z.boolean().describe('False: it did lately, and does not now.'),
  lastSeenAt: z.string(),
  requests: count,
  errors: count,
  failing: z.array(z.object({ name: z.string(), reason: z.string() })),
  degraded: z.array(z.object({ module: z.string(), reason: z.string() })),
  vitals: z.record(z.string(), count).describe('rssBytes of every service; clients, vms and streams of gateways.'),
});
const Mesh = z.object({
  at: z.string(),
  nats: z.object({ connected: z.boolean() }),
  services: z.array(
    z.object({
      name: z.string(),
      versions: z.array(z.string()),
      ready: z.boolean(),
      requests: count,
      errors: count,
      replicas: z.array(Replica),
      endpoints: z.array(Endpoint),
    }),
  ),
  missing: z.array(z.string()).describe('Services that a complete mesh has and nobody answers for.'),
  streams: z.array(z.object({ name: z.string(), summary: z.string(), messages: count, bytes: count, firstSeq: count, lastSeq: count, consumers: count })),
  consumers: z.array(
    z.object({
      stream: z.string(),
      name: z.string(),
      service: z.string(),
      summary: z.string(),
      pending: count.describe('Not delivered yet: how far behind it is.'),
      ackPending: count,
      redelivered: count,
      waiting: count.describe('Workers that wait for messages.'),
    }),
  ),
  buckets: z.array(z.object({ name: z.string(), summary: z.string(), entries: count, bytes: count })),
  problems: z.array(z.string()).describe('What could not be read now.'),
});

const WhoAmI = z.object({
  tenant: z.string(),
  user: z.string(),
  role: z.string(),
  scopes: z.array(z.string()),
  credential: z.object({
    id: z.string(),
    kind: z.enum(['shared', 'declared', 'signed', 'issued']),
    source: z.string().optional(),
    expiresAt: z.string().optional(),
  }),
  deployment: z.boolean().describe('Whether the caller may see what concerns the whole deployment, such as /v1/mesh.'),
  defaults: z.object({ agentId: z.string(), sessionKey: z.string() }),
  server: z.object({ version: z.string(), id: z.string(), now: z.string(), uptimeMs: z.number() }),
});

/** Who asks, and how the mesh is. */
@Controller('v1')
export class MeshController {
  constructor(@Inject(HTTP_SERVICES) private readonly services: HttpServices) {}

  @Get('whoami')
  @Describe({ summary: 'Who the bearer token proves, what it may do, and what answers.', response: WhoAmI })
  whoami(@Caller() principal: Principal, @CallerCredential() credential: Credential): z.input<typeof WhoAmI> {
    const { tenants, version, gatewayId, now, startedAt, seesDeployment } = this.services;
    const { agentId, mainKey } = tenants.defaultAgent(credential.tenant);
    const { tenant, user, scopes, credentialId, source, expiresAt, proof } = credential;
    return {
      ...{ tenant, user, role: principal.role, scopes: [...scopes] },
      credential: {
        id: credentialId,
        kind: proof.kind,
        ...(source !== undefined && { source }),
        ...(expiresAt !== undefined && { expiresAt: new Date(expiresAt).toISOString() }),
      },
      deployment: seesDeployment(credential),
      defaults: { agentId, sessionKey: `agent:${agentId}:${mainKey}` },
      server: { version, id: gatewayId, now: new Date(now()).toISOString(), uptimeMs: now() - startedAt },
    };
  }

  /** Read at most every two seconds, however many people look: made for polling. */
  @Get('mesh')
  @Describe({
    summary:
      'The live map: services with their replicas, streams, consumers with their lag, buckets. Read at most every two seconds, however many look. For administrators of the deployment: its own token, or those of its only tenant.',
    scope: SCOPES.admin,
    response: Mesh,
  })
  async mesh(@Caller() principal: Principal, @CallerCredential() credential: Credential, @Res() reply: FastifyReply): Promise<void> {
    requireScope(principal, SCOPES.admin);
    if (!this.services.seesDeployment(credential))
      throw plexusError('FORBIDDEN', { message: 'the map shows every tenant: only the token of the deployment may see it' });
    void reply.header('cache-control', 'private, max-age=2').send(await this.services.meshMap.view());
  }
}
