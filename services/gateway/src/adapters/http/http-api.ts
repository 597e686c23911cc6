import type { Server } from 'node:http';
import { type DynamicModule, type INestApplication, type LoggerService, Module, UseGuards } from '@nestjs/common';
import { APP_INTERCEPTOR, NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { plexusError } from '@plexus/contracts';
import { parseJson } from '@plexus/kernel';
import { MAX_CONFIG_BYTES } from '@plexus/service-kit';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Log } from '../../application/ports.js';
import { BearerGuard } from './bearer.guard.js';
import { ChannelsController } from './channels.controller.js';
import { ChatController } from './chat.controller.js';
import { ConfigController } from './config.controller.js';
import { addConsolePage, type ConsolePageOptions } from './console-page.js';
import { addEdge, type EdgeOptions } from './edge.js';
import { ContractsController } from './contracts.controller.js';
import { DeadLettersController } from './dead-letters.controller.js';
import { ErasuresController } from './erasures.controller.js';
import { EventsController } from './events.controller.js';
import { HTTP_SERVICES, type HttpServices } from './http-services.js';
import { IdempotencyInterceptor } from './idempotency.interceptor.js';
import { InboxController } from './inbox.controller.js';
import { MemoryArchiveController, NDJSON } from './memory-archive.controller.js';
import { MemoryController } from './memory.controller.js';
import { MeshController } from './mesh.controller.js';
import { addPluginRoutes, type PluginRouteOptions } from './plugin-routes.js';
import { DESCRIBED_CONTROLLERS, OpenApiController } from './openapi/openapi.controller.js';
import { PoliciesController } from './policies.controller.js';
import { ProblemFilter, sendProblem } from './problem.filter.js';
import { PublicHealthController } from './public-health.controller.js';
import { PushAccessController } from './push-access.controller.js';
import { PushInsightController } from './push-insight.controller.js';
import { PushWishesController } from './push-wishes.controller.js';
import { RoutesController } from './routes.controller.js';
import { SessionCareController } from './session-care.controller.js';
import { SessionsController } from './sessions.controller.js';
import { SchedulesController } from './schedules.controller.js';
import { SkillsController } from './skills.controller.js';
import { ToolsController } from './tools.controller.js';
import { TracingInterceptor } from './tracing.interceptor.js';
import { SubscriptionsController } from './subscriptions.controller.js';
import { TicketsController } from './tickets.controller.js';
import { VmsController } from './vms.controller.js';

/** Everything under /v1 that needs a bearer token. */
export const API = [
  ChatController,
  SessionsController,
  SessionCareController,
  ChannelsController,
  InboxController,
  SubscriptionsController,
  PushWishesController,
  PushAccessController,
  PoliciesController,
  PushInsightController,
  SchedulesController,
  ToolsController,
  MemoryArchiveController,
  MemoryController,
  SkillsController,
  TicketsController,
  VmsController,
  ErasuresController,
  EventsController,
  ConfigController,
  RoutesController,
  DeadLettersController,
  ContractsController,
  MeshController,
];
for (const controller of API) UseGuards(BearerGuard)(controller);

@Module({})
class HttpModule {
  static around(services: HttpServices): DynamicModule {
    return {
      module: HttpModule,
      controllers: [PublicHealthController, OpenApiController, ...API],
      providers: [
        BearerGuard,
        { provide: APP_INTERCEPTOR, useClass: TracingInterceptor },
        { provide: APP_INTERCEPTOR, useClass: IdempotencyInterceptor },
        { provide: HTTP_SERVICES, useValue: services },
        { provide: DESCRIBED_CONTROLLERS, useValue: [OpenApiController, ...API] },
      ],
    };
  }
}

export interface HttpApi {
  readonly app: INestApplication;
  readonly server: Server;
}

export interface HttpApiOptions {
  readonly bodyLimitBytes: number;
  readonly trustedProxies: readonly string[];
  readonly logger: LoggerService;
  readonly edge: EdgeOptions;
  readonly plugins: PluginRouteOptions;
  /** Undefined: no console. */
  readonly console?: ConsolePageOptions | undefined;
}

/** Builds the HTTP side of the gateway; it listens once `app.listen()` is called. */
export async function createHttpApi(services: HttpServices, options: HttpApiOptions, log: Log): Promise<HttpApi> {
  const problem = (error: unknown, request: FastifyRequest, reply: FastifyReply) => sendProblem(error, request, reply, log);
  const adapter = new FastifyAdapter({
    bodyLimit: options.bodyLimitBytes,
    routerOptions: { maxParamLength: 2_048 },
    forceCloseConnections: true,
    trustProxy: options.trustedProxies.length > 0 ? [...options.trustedProxies] : false,
    // Paths that cannot be decoded never reach a route.
    frameworkErrors: problem,
  });
  const app = await NestFactory.create<NestFastifyApplication>(HttpModule.around(services), adapter, {
    bodyParser: false,
    abortOnError: false,
    logger: options.logger,
  });
  const fastify = adapter.getInstance();
  addEdge(fastify, options.edge, problem);
  addPluginRoutes(fastify, options.plugins, services.bearer, problem, log);
  if (options.console !== undefined) addConsolePage(fastify, options.console);
  fastify.removeAllContentTypeParsers();
  const jsonTypes = ['application/json', 'application/cloudevents+json'];
  fastify.addContentTypeParser(
    jsonTypes,
    { parseAs: 'buffer' },
    (_request: FastifyRequest, body: Buffer, done: (error: Error | null, value?: unknown) => void) => {
      if (body.length === 0) {
        done(null, undefined);
        return;
      }
      const parsed = parseJson(body, { maxBytes: options.bodyLimitBytes });
      if (parsed.ok) done(null, parsed.value);
      else done(plexusError('INVALID_JSON', { message: parsed.error.message }));
    },
  );
  // Configurations and policies as people write them, with comments.
  const json5 = ['application/json5', 'text/plain', 'application/yaml'];
  fastify.addContentTypeParser(json5, { parseAs: 'string', bodyLimit: Math.max(options.bodyLimitBytes, MAX_CONFIG_BYTES) }, (_request, body, done) =>
    done(null, body),
  );
  // An import of any size: read line by line as it comes in.
  fastify.addContentTypeParser(NDJSON, (_request: FastifyRequest, body: unknown, done: (error: Error | null, value?: unknown) => void) => done(null, body));
  app.useGlobalFilters(new ProblemFilter(log));
  return { app, server: app.getHttpServer() as Server };
}
