import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { waitFor } from '@plexus/testing';
import { TcpProxy } from '../src/mesh/tcp-proxy.js';

/** Answers with its name and what it was sent. */
async function echo(name: string): Promise<{ server: Server; port: number }> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => socket.write(`${name}:${chunk}`));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, port: (server.address() as AddressInfo).port };
}

describe('the proxy between a mesh and what it stands on', () => {
  let servers: Server[] = [];
  let ports: number[] = [];
  const clients: Socket[] = [];
  let proxy: TcpProxy;

  beforeEach(async () => {
    const [one, two] = [await echo('one'), await echo('two')];
    servers = [one.server, two.server];
    ports = [one.port, two.port];
    proxy = await TcpProxy.start(ports);
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.destroy();
    await proxy.stop();
    for (const server of servers.splice(0)) server.close();
  });

  function dial(): { socket: Socket; read: () => string; closed: () => boolean } {
    const socket = connect(proxy.port, '127.0.0.1');
    clients.push(socket);
    let text = '';
    let closed = false;
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.on('close', () => {
      closed = true;
    });
    return { socket, read: () => text, closed: () => closed };
  }

  it('gives connections to one target after the other, and skips one that does not take them', async () => {
    const [first, second] = [dial(), dial()];
    first.socket.write('a');
    second.socket.write('b');
    await waitFor(() => first.read() !== '' && second.read() !== '', { what: 'both answers' });
    expect([first.read(), second.read()].map((text) => text.split(':')[0]).sort()).toEqual(['one', 'two']);
    servers[0]?.close();
    await waitFor(() => servers[0]?.listening === false, { what: 'the first target to be gone' });
    const others = [dial(), dial()];
    for (const { socket } of others) socket.write('c');
    await waitFor(() => others.every(({ read }) => read() === 'two:c'), { what: 'answers of the other target' });
  });

  it('cuts what there is and takes new connections', async () => {
    const before = dial();
    before.socket.write('a');
    await waitFor(() => before.read() !== '', { what: 'an answer' });
    expect(proxy.cut()).toBe(1);
    await waitFor(() => before.closed(), { what: 'the cut' });
    const after = dial();
    after.socket.write('b');
    await waitFor(() => after.read().endsWith(':b'), { what: 'an answer on a new connection' });
  });

  it('refuses connections while it is told to', async () => {
    proxy.refuse(true);
    const refused = dial();
    await waitFor(() => refused.closed(), { what: 'the refusal' });
    proxy.refuse(false);
    const taken = dial();
    taken.socket.write('a');
    await waitFor(() => taken.read().endsWith(':a'), { what: 'an answer' });
  });

  it('holds back everything while it is stalled, and lets all of it through in order afterwards', async () => {
    const client = dial();
    client.socket.write('a');
    await waitFor(() => client.read() !== '', { what: 'an answer' });
    proxy.stall(true);
    client.socket.write('b');
    // A second connection through another proxy shows that time has passed and the first is really held.
    const other = await TcpProxy.start(ports.slice(0, 1));
    const witness = connect(other.port, '127.0.0.1');
    clients.push(witness);
    let seen = '';
    witness.on('error', () => undefined);
    witness.on('data', (chunk) => {
      seen += chunk;
    });
    witness.write('x');
    await waitFor(() => seen.endsWith(':x'), { what: 'the witness' });
    expect(client.read()).not.toContain(':b');
    proxy.stall(false);
    await waitFor(() => client.read().endsWith(':b'), { what: 'what was held back' });
    await other.stop();
  });

  it('delays without changing the order, also when the delay is taken away meanwhile', async () => {
    const client = dial();
    client.socket.write('a');
    await waitFor(() => client.read() !== '', { what: 'an answer' });
    proxy.delay(150);
    client.socket.write('b');
    await waitFor(() => client.read().includes(':b'), { what: 'the delayed answer' });
    client.socket.write('c');
    proxy.delay(0);
    client.socket.write('d');
    await waitFor(() => client.read().includes('d'), { what: 'the last answer' });
    expect(client.read().replaceAll(/(one|two):/g, '')).toBe('abcd');
  });
});
