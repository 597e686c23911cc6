import { Controller, Get, Inject, Res } from '@nestjs/common';
import { MeshView, plexusError, type Principal, SCOPES } from '@plexus/contracts';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import type { Credential } from '../../domain/caller.js';
import { Caller, CallerCredential, requireScope } from './caller.js';
import { Describe } from './describe.js';
import { HTTP_SERVICES, type HttpServices } from './http-services.js';

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
    response: MeshView,
  })
  async mesh(@Caller() principal: Principal, @CallerCredential() credential: Credential, @Res() reply: FastifyReply): Promise<void> {
    requireScope(principal, SCOPES.admin);
    if (!this.services.seesDeployment(credential))
      throw plexusError('FORBIDDEN', { message: 'the map shows every tenant: only the token of the deployment may see it' });
    void reply.header('cache-control', 'private, max-age=2').send(await this.services.meshMap.view());
  }
}
