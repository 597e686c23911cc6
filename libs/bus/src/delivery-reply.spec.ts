import { readDeliveryInfo } from './delivery-reply.js';

const expected = { stream: 'S', consumer: 'c', attempt: 2, streamSeq: 30, consumerSeq: 4, timeMs: 1_795_229_476_175, pending: 7 };

it('reads the short form, and the long one with domain and account', () => {
  expect(readDeliveryInfo('$JS.ACK.S.c.2.30.4.1795229476175188740.7')).toEqual(expected);
  expect(readDeliveryInfo('$JS.ACK._.hash.S.c.2.30.4.1795229476175188740.7')).toEqual(expected);
  expect(readDeliveryInfo('$JS.ACK.hub.hash.S.c.2.30.4.1795229476175188740.7.random')).toEqual(expected);
});

it('anything else is no delivery', () => {
  for (const reply of [undefined, '', '_INBOX.x', '$JS.ACK.S.c', '$JS.ACK.a.b.c.d.e.f.g.h']) expect(readDeliveryInfo(reply)).toBeUndefined();
});
