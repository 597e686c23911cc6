import { Controller, Get, Inject, Param, Query } from '@nestjs/common';
import {
  CloudEvent,
  type Contract,
  CONTRACTS,
  contractName,
  findContract,
  type JsonSchema,
  NotableData,
  payloadSchema,
  plexusError,
  type Principal,
  type RpcContract,
  SCOPES,
} from '@plexus/contracts';
import { z } from 'zod';
import { Caller, requireScope } from './caller.js';
import { Describe } from './describe.js';
import { HTTP_SERVICES, type HttpServices } from './http-services.js';
import { readInput } from './read-input.js';

const Kind = z.enum(['in', 'evt', 'cmd', 'rpc', 'rt', 'log']);
const ListQuery = z.object({ kind: Kind.optional(), domain: z.string().min(1).max(64).optional() });
const Name = z.string().min(1).max(128);
const Schema = z.record(z.string(), z.unknown());
const Shown = z.object({
  name: z.string().describe('`<kind> <domain>.<name>.v<N>`'),
  kind: Kind,
  domain: z.string(),
  version: z.number().int(),
  type: z.string().describe('CloudEvents type.'),
  summary: z.string(),
  key: z.array(z.string()),
  subject: z.string().describe("Pattern of the caller's tenant."),
  schema: Schema.describe('JSON Schema (draft 7) of `data`.'),
  examples: z.array(z.unknown()),
  response: Schema.optional(),
});
const List = z.object({
  contracts: z.array(Shown),
  event: z
    .object({ schema: Schema, examples: z.array(z.unknown()) })
    .describe('What POST /v1/events takes: any CloudEvent; in its `data`, these fields mean something to push.'),
});

/** The envelope with what push reads from the data of anybody's event. */
const PostedEvent = CloudEvent.extend({ data: NotableData.optional() });
const EXAMPLE = {
  specversion: '1.0',
  id: 'order-4711-shipped',
  source: 'https://shop.example/orders',
  type: 'com.example.order.shipped.v1',
  subject: 'order-4711',
  severity: 'medium',
  data: { summary: 'Order 4711 is on its way.', topics: ['orders'] },
};

/** The contracts of the mesh, for programs and for forms that are made of them. Nothing in them is about anybody. */
@Controller('v1/contracts')
export class ContractsController {
  /** Made when they are asked for the first time: most gateways are never asked. */
  private readonly schemas = new Map<Contract, Pick<z.input<typeof Shown>, 'schema' | 'response'>>();

  constructor(@Inject(HTTP_SERVICES) private readonly services: HttpServices) {}

  @Get()
  @Describe({ summary: 'Every contract with its JSON Schema and examples, and the envelope of events.', scope: SCOPES.read, query: ListQuery, response: List })
  list(@Query() query: unknown, @Caller() principal: Principal): z.input<typeof List> {
    requireScope(principal, SCOPES.read);
    const { kind, domain } = readInput(ListQuery, query);
    const chosen = CONTRACTS.filter((one) => (kind === undefined || one.kind === kind) && (domain === undefined || one.domain === domain));
    const examples = [{ ...EXAMPLE, time: new Date(this.services.now()).toISOString() }];
    return { contracts: chosen.map((one) => this.show(one, principal.tenant)), event: { schema: payloadSchema(PostedEvent), examples } };
  }

  @Get(':name')
  @Describe({ summary: 'One contract by `domain.name` or `domain.name.vN`; the newest version when none is given.', scope: SCOPES.read, response: Shown })
  get(@Param('name') name: string, @Caller() principal: Principal): z.input<typeof Shown> {
    requireScope(principal, SCOPES.read);
    const contract = findContract(readInput(Name, name));
    if (contract === undefined) throw plexusError('NOT_FOUND', { message: 'There is no such contract.' });
    return this.show(contract, principal.tenant);
  }

  private show(contract: Contract, tenant: string): z.input<typeof Shown> {
    const { kind, domain, version, type, summary, key, examples } = contract;
    const about = { kind: kind as z.infer<typeof Kind>, domain, version, type, summary, key: [...key], examples: [...examples] };
    return { name: contractName(contract), ...about, subject: contract.pattern(tenant), ...this.schemasOf(contract) };
  }

  private schemasOf(contract: Contract): Pick<z.input<typeof Shown>, 'schema' | 'response'> {
    let schemas = this.schemas.get(contract);
    if (schemas === undefined) {
      const schema: JsonSchema = payloadSchema(contract.data);
      schemas = contract.kind === 'rpc' ? { schema, response: payloadSchema((contract as RpcContract).response, 'output') } : { schema };
      this.schemas.set(contract, schemas);
    }
    return schemas;
  }
}
