import { listParked } from '@plexus/bus';
import { CONSUMERS } from '@plexus/contracts';
import { waitFor } from '@plexus/testing';
import { type RoutingMesh, startRoutingMesh } from './support/routing-mesh.js';

let mesh: RoutingMesh;

beforeAll(async () => {
  mesh = await startRoutingMesh(1);
});
afterAll(() => mesh.stop());

test('a message that crashed its worker as often as it was delivered is parked, whose ever it was', async () => {
  const { seq } = await mesh.bus.publishRaw('plexus.in.acme.crm.contact-updated.v1.c1', Buffer.from('{"odd":true}'));
  const { stream, name } = CONSUMERS.pushIn;
  const advisory = {
    type: 'io.nats.jetstream.advisory.v1.max_deliver',
    id: 'a1',
    timestamp: new Date().toISOString(),
    stream,
    consumer: name,
    stream_seq: seq,
    deliveries: 6,
  };
  await mesh.bus.publishRaw(`$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.${stream}.${name}`, Buffer.from(JSON.stringify(advisory)));
  const [parked] = await waitFor(async () => {
    const found = await listParked(mesh.bus);
    return found.length > 0 ? found : undefined;
  });
  expect(parked).toMatchObject({ tenant: 'acme', consumer: name, code: 'MAX_DELIVERIES', originStream: stream, originSeq: seq, attempts: 6 });
});
