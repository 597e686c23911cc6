import 'reflect-metadata';
import {
  type ArgumentsHost,
  BadRequestException,
  type CallHandler,
  type CanActivate,
  Catch,
  Controller,
  type ExecutionContext,
  type INestMicroservice,
  Injectable,
  type NestInterceptor,
  type PipeTransform,
  Scope,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
} from '@nestjs/common';
import { Ctx, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { defineRpc, plexusError } from '@plexus/contracts';
import { waitFor } from '@plexus/testing';
import { map, type Observable, of, throwError } from 'rxjs';
import { z } from 'zod';
import type { Bus, Delivery, Outcome, RpcContext } from '../src/index.js';
import { listParked } from '../src/index.js';
import { BUS, BusModule, Consume, InjectBus, PlexusTransport, Rpc } from '../src/nest/index.js';
import { COMMANDS, DLQ, Fixture, failure, greet, work, worker } from './fixture.js';

const rpc = (name: string) =>
  defineRpc({
    domain: 'test',
    name,
    version: 1,
    summary: 'Test.',
    data: z.object({ name: z.string() }),
    response: z.object({ text: z.string() }),
    examples: [{ name: 'a' }],
  });
const guarded = rpc('guarded');
const piped = rpc('piped');
const filtered = rpc('filtered');
const intercepted = rpc('intercepted');
const failing = rpc('failing');
const observed = rpc('observed');
const scoped = rpc('scoped');
const whoami = rpc('whoami');

@Injectable()
class Greeter {
  greet(name: string): string {
    return `hello ${name}`;
  }
}

@Injectable()
class OnlyAda implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const rpcHost = context.switchToRpc();
    return rpcHost.getData<{ name: string }>().name === 'Ada' && rpcHost.getContext<RpcContext>().tenant === 'acme';
  }
}

@Injectable()
class Shout implements PipeTransform {
  transform(value: unknown, { type }: { type: string }): unknown {
    if (type !== 'body') return value;
    const { name } = value as { name: string };
    if (name === 'bad') throw new BadRequestException(['name is bad']);
    return { name: name.toUpperCase() };
  }
}

class TeapotError extends Error {}

@Catch(TeapotError)
class TeapotFilter {
  catch(_error: TeapotError, _host: ArgumentsHost): Observable<never> {
    return throwError(() => plexusError('RATE_LIMITED', { details: { brewing: true } }));
  }
}

@Injectable()
class Wrap implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(map(({ text }: { text: string }) => ({ text: `[${text}]` })));
  }
}

const problems: Record<string, () => unknown> = {
  plexus: () => plexusError('QUOTA_EXCEEDED', { details: { limit: 1 } }),
  http: () => new BadRequestException('no'),
  rpcText: () => new RpcException('odd'),
  rpcCode: () => new RpcException({ code: 'CONFLICT', message: 'taken', details: { by: 'x' } }),
  unknown: () => new Error('secret'),
  text: () => 'just text',
};

@Controller()
class Answers {
  constructor(
    private readonly greeter: Greeter,
    @InjectBus() readonly bus: Bus,
  ) {}

  @Rpc(greet)
  greet(@Payload() data: { name: string; times: number }): { text: string } {
    return { text: `${this.greeter.greet(data.name)} x${data.times}` };
  }

  @Rpc(whoami)
  async whoami(@Ctx() context: RpcContext, @Payload('name') name: string): Promise<{ text: string }> {
    return { text: `${name} in ${context.tenant} as ${context.principal.role}, ${context.headers.has('Plexus-Deadline')}` };
  }

  @Rpc(guarded)
  @UseGuards(OnlyAda)
  guarded(): { text: string } {
    return { text: 'in' };
  }

  @Rpc(piped)
  @UsePipes(Shout)
  piped(@Payload() data: { name: string }): { text: string } {
    return { text: data.name };
  }

  @Rpc(filtered)
  @UseFilters(TeapotFilter)
  filtered(@Payload() { name }: { name: string }): never {
    if (name === 'teapot') throw new TeapotError();
    throw plexusError('CONFLICT');
  }

  @Rpc(intercepted)
  @UseInterceptors(Wrap)
  intercepted(): { text: string } {
    return { text: 'inner' };
  }

  @Rpc(failing)
  failing(@Payload() { name }: { name: string }): never {
    throw (problems[name] as () => unknown)();
  }

  @Rpc(observed)
  observed(): Observable<{ text: string }> {
    return of({ text: 'first' }, { text: 'last' });
  }
}

let created = 0;

@Controller({ scope: Scope.REQUEST })
class PerRequest {
  private readonly id = ++created;

  @Rpc(scoped)
  scoped(): { text: string } {
    return { text: `instance ${this.id}` };
  }
}

const handled: { data: unknown; context: Delivery }[] = [];
const outcomes: (Outcome | Error)[] = [];

@Controller()
class Works {
  @Consume(worker(), { concurrency: 2, heartbeatMs: 500, backoff: { baseMs: 10, capMs: 20 }, contracts: [work] })
  async work(@Payload() data: unknown, @Ctx() context: Delivery): Promise<Outcome> {
    handled.push({ data, context });
    const next = outcomes.shift() ?? { kind: 'done' };
    if (next instanceof Error) throw next;
    return next;
  }
}

let fixture: Fixture;
let bus: Bus;
let client: Bus;
let application: INestMicroservice;

beforeAll(async () => {
  fixture = await Fixture.start();
  await fixture.apply({ streams: [COMMANDS, DLQ], consumers: [worker()] });
  bus = await fixture.connect();
  client = await fixture.connect({ service: 'client' });
  const module = await Test.createTestingModule({
    imports: [BusModule.forRoot(bus)],
    controllers: [Answers, PerRequest, Works],
    providers: [Greeter],
  }).compile();
  application = module.createNestMicroservice({ strategy: new PlexusTransport(bus), logger: false });
  await application.listen();
});
afterAll(async () => {
  await application.close();
  await fixture.stop();
});

const call = (contract: ReturnType<typeof rpc>, name: string, tenant = 'acme') => client.call(contract, tenant, { name });

describe('@Rpc', () => {
  it('answers a contract with injected providers and validated data', async () => {
    expect(await client.call(greet, 'acme', { name: 'Ada' })).toEqual({ text: 'hello Ada x1' });
    expect(
      await failure(
        client.connection
          .request('plexus.rpc.acme.test.greet.v1', '{}', { timeout: 30_000 })
          .then((m) => Promise.reject({ code: m.headers?.get('Nats-Service-Error-Code') })),
      ),
    ).toEqual({
      code: 'INVALID_REQUEST',
    });
    expect(application.get(BUS)).toBe(bus);
  });

  it('hands over parts of the data and the context of the call', async () => {
    expect(await call(whoami, 'Ada')).toEqual({ text: 'Ada in acme as service, true' });
  });

  it('a guard that denies is FORBIDDEN, and sees data and context', async () => {
    expect(await call(guarded, 'Ada')).toEqual({ text: 'in' });
    expect(await failure(call(guarded, 'Bob'))).toMatchObject({ code: 'FORBIDDEN' });
    expect(await failure(call(guarded, 'Ada', 'globex'))).toMatchObject({ code: 'FORBIDDEN' });
  });

  it('a pipe transforms, and one that refuses is INVALID_REQUEST', async () => {
    expect(await call(piped, 'Ada')).toEqual({ text: 'ADA' });
    expect(await failure(call(piped, 'bad'))).toMatchObject({ code: 'INVALID_REQUEST', message: 'name is bad' });
  });

  it('an interceptor wraps the answer', async () => {
    expect(await call(intercepted, 'x')).toEqual({ text: '[inner]' });
  });

  it('a filter maps its exception and leaves the others', async () => {
    expect(await failure(call(filtered, 'teapot'))).toMatchObject({ code: 'RATE_LIMITED', details: { brewing: true } });
    expect(await failure(call(filtered, 'x'))).toMatchObject({ code: 'CONFLICT' });
  });

  it('an Observable answers with its last value', async () => {
    expect(await call(observed, 'x')).toEqual({ text: 'last' });
  });

  it('a request-scoped controller is made for each call', async () => {
    const [first, second] = [await call(scoped, 'x'), await call(scoped, 'x')];
    expect(first).not.toEqual(second);
  });

  it('exceptions keep their code, or become INTERNAL without their text', async () => {
    expect(await failure(call(failing, 'plexus'))).toMatchObject({ code: 'QUOTA_EXCEEDED', details: { limit: 1 }, retryable: true });
    expect(await failure(call(failing, 'http'))).toMatchObject({ code: 'INVALID_REQUEST', message: 'no' });
    expect(await failure(call(failing, 'rpcCode'))).toMatchObject({ code: 'CONFLICT', message: 'taken', details: { by: 'x' } });
    for (const name of ['rpcText', 'unknown', 'text']) {
      const error = await failure(call(failing, name));
      expect(error.code).toBe('INTERNAL');
      expect(JSON.stringify(error)).not.toContain('secret');
    }
  });
});

describe('@Consume', () => {
  const send = async (n: number): Promise<Delivery> => {
    const before = handled.length;
    await client.publish(work, { tenant: 'acme', key: ['a'], data: { thingId: 'a', n } });
    await waitFor(() => handled.length > before);
    return (handled[before] as { context: Delivery }).context;
  };

  it('hands over the data and the delivery, and ends it as the method says', async () => {
    outcomes.push({ kind: 'retry', afterMs: 10, reason: 'not yet' });
    const first = await send(1);
    expect(handled[0]?.data).toEqual({ thingId: 'a', n: 1 });
    expect(first).toMatchObject({ tenant: 'acme', attempt: 1 });
    await waitFor(() => handled.length === 2);
    expect(handled[1]?.context.attempt).toBe(2);
    outcomes.push({ kind: 'park', code: 'NOT_FOUND', reason: 'gone' });
    await send(2);
    await waitFor(async () => (await listParked(client)).length === 1);
  });

  it('a method that throws is tried again and then parked', async () => {
    handled.length = 0;
    outcomes.push(new Error('one'), new Error('two'), new Error('three'));
    await send(3);
    await waitFor(async () => (await listParked(client)).length === 2);
    expect(handled).toHaveLength(3);
    expect((await listParked(client))[1]).toMatchObject({ code: 'HANDLER_FAILED', attempts: 3 });
  });
});

it('a handler for a pattern of another transport is refused at the start', async () => {
  @Controller()
  class Foreign {
    @MessagePattern('cats')
    cats(): void {}
  }
  const module = await Test.createTestingModule({ controllers: [Foreign] }).compile();
  const other = module.createNestMicroservice({ strategy: new PlexusTransport(await fixture.connect()), logger: false });
  await expect(other.listen()).rejects.toThrow(/cats/);
});

it('without the module an exception is INTERNAL at the caller, whatever it was', async () => {
  @Controller()
  class Bare {
    @Rpc(rpc('bare'))
    bare(): never {
      throw plexusError('CONFLICT');
    }
  }
  const module = await Test.createTestingModule({ controllers: [Bare] }).compile();
  const other = module.createNestMicroservice({ strategy: new PlexusTransport(await fixture.connect()), logger: false });
  await other.listen();
  expect(await failure(call(rpc('bare'), 'x'))).toMatchObject({ code: 'INTERNAL' });
  await other.close();
});

it('closing stops the handlers and leaves the bus open', async () => {
  await application.close();
  expect(bus.isConnected()).toBe(true);
  expect(await failure(client.call(greet, 'acme', { name: 'Ada' }))).toMatchObject({ code: 'NO_RESPONDERS' });
});
