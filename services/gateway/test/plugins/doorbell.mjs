// An example of a plugin: a webhook of a doorbell that rings at the nodes of whoever is asked for.
let closed = 0;

export const closedTimes = () => closed;

export default {
  name: 'doorbell',
  register({ route, handle, nodes, log }) {
    route('POST', '/hooks/doorbell', ({ body, query }) => {
      const { door } = JSON.parse(Buffer.from(body).toString('utf8'));
      const tenant = query.get('tenant') ?? 'default';
      const payload = { door, text: 'Grüße', nothing: undefined };
      const sessionKey = query.get('session');
      if (sessionKey !== null) nodes.sendToSession({ tenant, owner: query.get('owner'), sessionKey }, 'doorbell.session', payload);
      else if (query.has('subscribed')) nodes.sendToAllSubscribed(tenant, 'doorbell.subscribed', payload);
      else nodes.sendToAllConnected(tenant, 'doorbell.ring', payload);
      log.info({ door }, 'somebody is at the door');
      return { status: 202, headers: { 'x-door': door, 'Content-Length': '1' }, body: { rung: door } };
    });
    route('GET', '/hooks/whoami', ({ caller, headers }) => ({ body: { caller, sawToken: headers.authorization !== undefined } }), { scope: 'operator.write' });
    route('GET', '/hooks/broken', () => {
      throw new Error('the secret of the plugin');
    });
    route('GET', '/hooks/forged', () => ({ headers: { 'x-a': 'b\r\nx-c: d' } }));
    route('GET', '/hooks/slow', () => new Promise(() => {}));
    handle(({ path }) => (path.startsWith('/generic/') ? { body: `first ${path}` } : undefined));
  },
  close() {
    closed += 1;
  },
};
