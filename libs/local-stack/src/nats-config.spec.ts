import { renderNatsConfig } from './nats-config.js';

describe('the configuration of the embedded nats-server', () => {
  const permissions = { publish: { allow: ['plexus.in.default.demo.>'] }, subscribe: { allow: [] as string[] }, allowResponses: true };

  it('turns an empty allow list into a denial, because the server would read it as "everything"', () => {
    const text = renderNatsConfig({ port: 4222, storeDir: '/tmp/x', users: [{ name: 'demo', credential: { nkey: 'UABC' }, permissions }] });
    expect(text).toContain('publish: { allow: ["plexus.in.default.demo.>"] }');
    expect(text).toContain('subscribe: { deny: [">"] }');
    expect(text).toContain('allow_responses: true');
  });

  it('quotes what could break out of its place', () => {
    const text = renderNatsConfig({ port: 1, storeDir: '/tmp/a "b" } x', users: [{ name: 'x', credential: { user: 'x', password: 'a"b' } }] });
    expect(text).toContain('store_dir: "/tmp/a \\"b\\" } x"');
    expect(text).toContain('password: "a\\"b"');
  });

  it('makes a server one of a cluster that tells clients of nobody', () => {
    const cluster = { serverName: 'n1', clusterName: 'c', port: 7001, routes: [7001, 7002] };
    const text = renderNatsConfig({ port: 4222, storeDir: '/tmp/x', cluster });
    expect(text).toContain('server_name: "n1"');
    expect(text).toContain('listen: "127.0.0.1:7001"');
    expect(text).toContain('routes: ["nats://127.0.0.1:7001", "nats://127.0.0.1:7002"]');
    expect(text).toContain('no_advertise: true');
  });

  it('listens on loopback only and opens no monitoring port', () => {
    const text = renderNatsConfig({ port: 4222, storeDir: '/tmp/x' });
    expect(text).toContain('listen: "127.0.0.1:4222"');
    expect(text).not.toMatch(/http|authorization/);
  });
});
