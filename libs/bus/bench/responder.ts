// The answering process of request-reply.bench.ts: every variant in one process, only one of them busy at a time.
import 'reflect-metadata';
import { Controller, type INestMicroservice, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MessagePattern, Payload, Transport } from '@nestjs/microservices';
import { connectBus } from '@plexus/bus';
import { BusModule, PlexusTransport, Rpc } from '@plexus/bus/nest';
import { DEFAULT_PATTERN, identity, nestRpc, RAW_SUBJECT, reply, type request, typedRpc } from './bench-contracts.ts';

type Asked = typeof request;

class Answerer {
  answer(asked: Asked): ReturnType<typeof reply> {
    return reply(asked);
  }
}

class PlexusController {
  readonly answerer: Answerer;
  constructor(answerer: Answerer) {
    this.answerer = answerer;
  }
  answer(asked: Asked): ReturnType<typeof reply> {
    return this.answerer.answer(asked);
  }
}

class DefaultController {
  readonly answerer: Answerer;
  constructor(answerer: Answerer) {
    this.answerer = answerer;
  }
  answer(asked: Asked): ReturnType<typeof reply> {
    return this.answerer.answer(asked);
  }
}

/** Node strips types but knows no decorators, so they are called as the functions that they are. */
function decorate(controller: { new (answerer: Answerer): { answer(asked: Asked): unknown } }, handler: MethodDecorator): void {
  Reflect.defineMetadata('design:paramtypes', [Answerer], controller);
  Reflect.defineMetadata('design:paramtypes', [Object], controller.prototype, 'answer');
  Payload()(controller.prototype, 'answer', 0);
  handler(controller.prototype, 'answer', Object.getOwnPropertyDescriptor(controller.prototype, 'answer') as PropertyDescriptor);
  Controller()(controller);
}

Injectable()(Answerer);
decorate(PlexusController, Rpc(nestRpc));
decorate(DefaultController, MessagePattern(DEFAULT_PATTERN));

class PlexusApp {}
class DefaultApp {}
Module({ controllers: [DefaultController], providers: [Answerer] })(DefaultApp);

const url = process.argv[2] as string;
const bus = await connectBus({ service: 'bench', servers: url, identity, allowAnonymous: true });
Module({ imports: [BusModule.forRoot(bus)], controllers: [PlexusController], providers: [Answerer] })(PlexusApp);

bus.connection.subscribe(RAW_SUBJECT, {
  callback: (_error, message) => {
    message.respond(JSON.stringify(reply(JSON.parse(message.string()))));
  },
});
bus.connection.subscribe(`${RAW_SUBJECT}.echo`, { callback: (_error, message) => void message.respond(message.data) });
bus.serve(typedRpc, reply);

const options = { logger: false } as const;
const applications: INestMicroservice[] = [
  await NestFactory.createMicroservice(PlexusApp, { ...options, strategy: new PlexusTransport(bus) }),
  await NestFactory.createMicroservice(DefaultApp, { ...options, transport: Transport.NATS, options: { servers: [url] } }),
];
for (const application of applications) await application.listen();
await bus.connection.flush();
process.send?.('ready');
process.on('message', () => {
  const { user, system } = process.cpuUsage();
  process.send?.(user + system);
});
process.on('disconnect', () => process.exit(0));
