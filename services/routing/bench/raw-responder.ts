// Answers raw requests with an answer as large as that of `routing.resolve`: what NATS itself costs, in a process of its own like the service.
import { connectBus } from '@plexus/bus';

const [url = ''] = process.argv.slice(2);
const bus = await connectBus({ service: 'raw', servers: url });
const answer = Buffer.from(
  JSON.stringify({
    agentId: 'main',
    channel: 'telegram',
    accountId: 'default',
    sessionKey: 'agent:main:telegram:group:-1',
    mainSessionKey: 'agent:main:main',
    matchedBy: 'binding.peer',
    lastRoutePolicy: 'session',
    configRevision: 2,
  }),
);
bus.connection.subscribe('raw.resolve', {
  callback: (_error, message) => {
    JSON.parse(message.string());
    message.respond(answer);
  },
});
await bus.connection.flush();
process.send?.('ready');
process.on('disconnect', () => void bus.close().then(() => process.exit(0)));
