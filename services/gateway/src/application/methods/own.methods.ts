import { memoryContracts as memory, pushContracts as push, vmContracts as vm } from '@plexus/contracts';
import { parseCursor } from '../../domain/inbox-cursor.js';
import type { MethodHandlers } from './method-context.js';

type OwnMethods = Pick<
  MethodHandlers,
  | 'inbox.resume'
  | 'inbox.list'
  | 'inbox.ack'
  | 'inbox.mark'
  | 'push.subscribe'
  | 'push.unsubscribe'
  | 'push.subscriptions'
  | 'memory.write'
  | 'memory.search'
  | 'vms.list'
>;

/** What the gateway protocol does not know: inbox, subscriptions, memory, VMs. Answers are those of the owning service. */
export const ownMethods: OwnMethods = {
  /** Items behind the cursor come as `inbox.item` events before this answer does. */
  'inbox.resume': async ({ cursor }, call) => {
    const { connection, services, signal } = call;
    connection.keepsInbox = true;
    services.inboxes.join(connection);
    const feed = services.inboxes.of(connection);
    // Joined one line above; a node never gets here, because its role has no such method.
    if (feed === undefined) throw new TypeError('the connection has no inbox');
    return feed.resume(connection, connection.principal, cursor === undefined ? undefined : parseCursor(cursor), signal);
  },
  'inbox.list': (params, call) => call.ask(push.fetchInbox, params),
  /** Up to an offset: they arrived. One delivery: somebody takes care of it, and its escalation ends. */
  'inbox.ack': async ({ offset, deliveryId }, call) => {
    if (deliveryId !== undefined) return { ok: true, ...(await call.ask(push.ackInbox, { deliveryId })) };
    const { connection, services } = call;
    connection.keepsInbox = true;
    // It is the pace of this connection, whatever becomes of the mark.
    services.inboxes.of(connection)?.acked(connection, offset ?? 0);
    return { ok: true, ...(await call.ask(push.markInbox, { upTo: offset ?? 0, state: 'seen' })) };
  },
  'inbox.mark': async ({ ids, state }, call) => ({ ok: true, ...(await call.ask(push.markInbox, { ids, state })) }),

  'push.subscribe': (params, call) => call.ask(push.subscribe, params),
  'push.unsubscribe': (params, call) => call.ask(push.unsubscribe, params),
  'push.subscriptions': (_params, call) => call.ask(push.listSubscriptions, {}),

  'memory.write': (params, call) => call.ask(memory.writeMemory, params),
  'memory.search': (params, call) => call.ask(memory.searchMemory, params),

  'vms.list': (params, call) => call.ask(vm.listVms, params),
};
