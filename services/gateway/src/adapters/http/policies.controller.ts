import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Post, Put, Query } from '@nestjs/common';
import { type Principal, pushPolicyContracts as push, SCOPES } from '@plexus/contracts';
import { z } from 'zod';
import { Caller, requireScope } from './caller.js';
import { Describe } from './describe.js';
import { HTTP_SERVICES, type HttpServices } from './http-services.js';
import { defined, queryNumber, readInput } from './read-input.js';

const VERSION = 2_147_483_647;
const Version = queryNumber(0, VERSION);
const ListQuery = z.object({ limit: queryNumber(1, 200).optional(), before: queryNumber(1, VERSION).optional() });
const DiffQuery = z.object({ from: Version.optional(), to: Version });
const WaitQuery = z.object({ waitMs: queryNumber(0, 8_000).optional() });
const NotesQuery = z.object({ notes: z.string().max(2_000).optional() });
const Given = z
  .object({ text: z.string().min(1).optional(), body: z.record(z.string(), z.unknown()).optional(), notes: z.string().max(2_000).optional() })
  .strict();
const ReplayBody = push.replayPolicy.data.omit({ version: true, text: true, body: true }).partial({ warmUpHours: true, waitMs: true });
const YAML = ['application/yaml', 'text/plain'];
const JobId = z.string().min(1).max(64);

/** A policy as it comes over HTTP: `{text}`, `{body}`, or the YAML itself as text/plain or application/yaml. */
type Written = { readonly text?: string | undefined; readonly body?: Record<string, unknown> | undefined; readonly notes?: string | undefined };

/** Policies of the tenant: drafts, tests, replays, activation. Reading needs operator.read, the rest operator.admin. */
@Controller('v1/policies')
export class PoliciesController {
  constructor(@Inject(HTTP_SERVICES) private readonly services: HttpServices) {}

  @Get()
  @Describe({ rpc: push.listPolicies, scope: SCOPES.read, query: ListQuery })
  list(@Query() query: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.read);
    return this.services.mesh.call(push.listPolicies, principal.tenant, defined(readInput(ListQuery, query)), { principal });
  }

  @Post()
  @Describe({ rpc: push.putPolicy, scope: SCOPES.admin, query: NotesQuery, body: Given, bodyTypes: YAML })
  @HttpCode(201)
  put(@Body() body: unknown, @Query() query: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.admin);
    return this.services.mesh.call(push.putPolicy, principal.tenant, defined({ ...readInput(NotesQuery, query), ...written(body) }), { principal });
  }

  /** Tests a policy that is only given; nothing is kept. */
  @Post('test')
  @Describe({ rpc: push.testPolicy, scope: SCOPES.admin, body: Given, bodyTypes: YAML, idempotency: 'none' })
  @HttpCode(200)
  testGiven(@Body() body: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.admin);
    const { text, body: policy } = written(body);
    return this.services.mesh.call(push.testPolicy, principal.tenant, defined({ text, body: policy }), { principal });
  }

  @Get('diff')
  @Describe({ rpc: push.diffPolicies, scope: SCOPES.read, query: DiffQuery })
  diff(@Query() query: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.read);
    return this.services.mesh.call(push.diffPolicies, principal.tenant, defined(readInput(DiffQuery, query)), { principal });
  }

  @Post('rollback')
  @Describe({ rpc: push.rollbackPolicy, scope: SCOPES.admin, body: push.rollbackPolicy.data })
  @HttpCode(200)
  rollback(@Body() body: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.admin);
    return this.services.mesh.call(push.rollbackPolicy, principal.tenant, defined(readInput(push.rollbackPolicy.data, body)), { principal });
  }

  @Get('replays/:job')
  @Describe({ rpc: push.getReplay, scope: SCOPES.admin, query: WaitQuery })
  replayJob(@Param('job') job: string, @Query() query: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.admin);
    return this.services.mesh.call(push.getReplay, principal.tenant, defined({ jobId: readInput(JobId, job), ...readInput(WaitQuery, query) }), { principal });
  }

  @Delete('replays/:job')
  @Describe({ rpc: push.cancelReplay, scope: SCOPES.admin })
  cancelReplay(@Param('job') job: string, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.admin);
    return this.services.mesh.call(push.cancelReplay, principal.tenant, { jobId: readInput(JobId, job) }, { principal });
  }

  /** The one that decides now. */
  @Get('active')
  @Describe({ rpc: push.getPolicy, scope: SCOPES.read })
  active(@Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.read);
    return this.services.mesh.call(push.getPolicy, principal.tenant, {}, { principal });
  }

  @Get(':version')
  @Describe({ rpc: push.getPolicy, scope: SCOPES.read })
  get(@Param('version') version: string, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.read);
    return this.services.mesh.call(push.getPolicy, principal.tenant, { version: readInput(Version, version) }, { principal });
  }

  /** Another text for a draft. */
  @Put(':version')
  @Describe({ rpc: push.putPolicy, scope: SCOPES.admin, query: NotesQuery, body: Given, bodyTypes: YAML })
  replace(@Param('version') version: string, @Body() body: unknown, @Query() query: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.admin);
    const draft = { version: readInput(Version, version), ...readInput(NotesQuery, query), ...written(body) };
    return this.services.mesh.call(push.putPolicy, principal.tenant, defined(draft), { principal });
  }

  @Post(':version/test')
  @Describe({ rpc: push.testPolicy, scope: SCOPES.admin })
  @HttpCode(200)
  test(@Param('version') version: string, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.admin);
    return this.services.mesh.call(push.testPolicy, principal.tenant, { version: readInput(Version, version) }, { principal });
  }

  @Post(':version/activate')
  @Describe({ rpc: push.activatePolicy, scope: SCOPES.admin, body: push.activatePolicy.data.pick({ replayHours: true }).partial() })
  @HttpCode(200)
  activate(@Param('version') version: string, @Body() body: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.admin);
    const { replayHours } = readInput(push.activatePolicy.data.pick({ replayHours: true }).partial(), body);
    return this.services.mesh.call(push.activatePolicy, principal.tenant, defined({ version: readInput(Version, version), replayHours }), { principal });
  }

  @Post(':version/retire')
  @Describe({ rpc: push.retirePolicy, scope: SCOPES.admin })
  @HttpCode(200)
  retire(@Param('version') version: string, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.admin);
    return this.services.mesh.call(push.retirePolicy, principal.tenant, { version: readInput(Version, version) }, { principal });
  }

  /** 202 with the running job; its answer is under `replays/:job`. */
  @Post(':version/replay')
  @Describe({ rpc: push.replayPolicy, scope: SCOPES.admin, body: ReplayBody })
  @HttpCode(202)
  replay(@Param('version') version: string, @Body() body: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.admin);
    const question = defined({ version: readInput(Version, version), ...readInput(ReplayBody, body) });
    return this.services.mesh.call(push.replayPolicy, principal.tenant, question, { principal });
  }
}

function written(body: unknown): Written {
  return typeof body === 'string' ? { text: body } : readInput(Given, body);
}
