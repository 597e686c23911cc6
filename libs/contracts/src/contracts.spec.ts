import { CONTRACTS, contractName, findContract } from './registry.js';
import { hasScope, SCOPES } from './principal.js';
import { integratorPermissions, permissionsFor } from './permissions.js';
import { channelRole, ROLES } from './roles.js';
import { channelContracts, fromAdapter, runContracts, sendCommandFor, sessionContracts } from './index.js';
import { BUCKETS, CONSUMERS, STREAMS } from './topology.js';
import { parseSubject, SubjectError } from './subject.js';

/** NATS subject matching: `*` one token, `>` one or more. */
function covers(pattern: string, subject: string): boolean {
  const wanted = pattern.split('.');
  const got = subject.split('.');
  for (let index = 0; index < wanted.length; index += 1) {
    if (wanted[index] === '>') return got.length > index;
    if (got[index] === undefined || (wanted[index] !== '*' && wanted[index] !== got[index])) return false;
  }
  return wanted.length === got.length;
}

const sample = (contract: (typeof CONTRACTS)[number]): string => contract.subject('acme', ...contract.key.map(() => 'key'));

describe('every contract', () => {
  it.each(CONTRACTS.map((contract) => [contractName(contract), contract] as const))(
    '%s: examples parse, subject is ours, pattern covers it',
    (_name, contract) => {
      expect(contract.examples.length).toBeGreaterThan(0);
      for (const example of contract.examples) expect(contract.data.safeParse(example)).toMatchObject({ success: true });
      expect(parseSubject(sample(contract))).toMatchObject({ kind: contract.kind, tenant: 'acme', domain: contract.domain, name: contract.name });
      expect(covers(contract.pattern(), sample(contract))).toBe(true);
      expect(covers(contract.pattern('other'), sample(contract))).toBe(false);
      expect(findContract(contractName(contract))).toBe(contract);
    },
  );

  it('has a name of its own', () => {
    expect(new Set(CONTRACTS.map(contractName)).size).toBe(CONTRACTS.length);
  });

  it('refuses a subject with a missing key token', () => {
    expect(() => sessionContracts.sessionEvent.subject('acme')).toThrow(/takes 1 key/);
  });
});

describe('the topology', () => {
  it('stores every event, command and log subject in exactly one stream', () => {
    for (const contract of CONTRACTS.filter(({ kind }) => kind === 'evt' || kind === 'cmd' || kind === 'in')) {
      const streams = STREAMS.filter((stream) => stream.subjects.some((subject) => covers(subject, sample(contract))));
      expect(streams.map((stream) => [contractName(contract), stream.name])).toHaveLength(1);
    }
  });

  it('keeps the rules for names and limits', () => {
    for (const stream of STREAMS) expect(stream.name).toMatch(/^PLEXUS_[A-Z_]{1,24}$/);
    for (const consumer of Object.values(CONSUMERS)) {
      expect(consumer.name.startsWith(`${consumer.service}-`)).toBe(true);
      expect(consumer.ackWaitMs).toBeLessThanOrEqual(10_000);
      expect(STREAMS.map((stream) => stream.name)).toContain(consumer.stream);
    }
    for (const bucket of Object.values(BUCKETS)) expect(bucket.name).toMatch(/^PLEXUS_[A-Z_]+$/);
  });

  it('gives no work queue two consumers with overlapping filters', () => {
    for (const stream of STREAMS.filter(({ retention }) => retention === 'workqueue')) {
      const filters = Object.values(CONSUMERS)
        .filter((consumer) => consumer.stream === stream.name)
        .map((consumer) => consumer.filter);
      for (const [index, filter] of filters.entries()) {
        for (const other of filters.slice(index + 1)) expect(covers(filter, other) || covers(other, filter)).toBe(false);
      }
    }
  });
});

describe('roles and permissions', () => {
  it('give every rpc exactly one owner', () => {
    for (const contract of CONTRACTS.filter(({ kind }) => kind === 'rpc')) {
      expect(ROLES.filter((role) => role.serves.includes(contract)).map((role) => [contractName(contract), role.name])).toHaveLength(1);
    }
  });

  it('let a role publish only what its contracts say', () => {
    const push = permissionsFor(ROLES.find((role) => role.name === 'push') as (typeof ROLES)[number]);
    const may = (subject: string): boolean => push.publish.allow.some((pattern) => covers(pattern, subject));
    expect(may('plexus.rt.acme.inbox.item.v1.me')).toBe(true);
    expect(may('$JS.ACK.PLEXUS_IN.push-in.1.2.3.4.5')).toBe(true);
    expect(may(runContracts.startRun.subject('acme', 's'))).toBe(false);
    expect(may('$JS.API.STREAM.DELETE.PLEXUS_IN')).toBe(false);
    expect(may('$JS.API.STREAM.PURGE.PLEXUS_IN')).toBe(false);
    expect(may('$KV.PLEXUS_KEYS.push.k1')).toBe(true);
    expect(may('$KV.PLEXUS_KEYS.gateway.k1')).toBe(false);
    expect(may('$KV.PLEXUS_CONFIG._')).toBe(false);
  });

  it('let nobody purge a stream: that moves consumers past what waits for them', () => {
    for (const role of ROLES) {
      const { allow } = permissionsFor(role).publish;
      expect([role.name, allow.filter((pattern) => covers(pattern, '$JS.API.STREAM.PURGE.PLEXUS_EVT_SESSION'))]).toEqual([role.name, []]);
    }
    const routing = permissionsFor(ROLES.find(({ name }) => name === 'routing') as (typeof ROLES)[number]).publish.allow;
    for (const operation of ['GET', 'DELETE']) expect(routing).toContain(`$JS.API.STREAM.MSG.${operation}.PLEXUS_EVT_SESSION`);
  });

  it('confine an integrator to its tenant and source', () => {
    const crm = integratorPermissions('acme', 'crm', ['session']);
    const may = (subject: string): boolean => crm.publish.allow.some((pattern) => covers(pattern, subject));
    expect(may('plexus.in.acme.crm.contact-updated.v1.c1')).toBe(true);
    expect(may('plexus.in.acme.erp.contact-updated.v1.c1')).toBe(false);
    expect(may('plexus.in.other.crm.contact-updated.v1.c1')).toBe(false);
    expect(may('plexus.cmd.acme.run.start.v1.s')).toBe(false);
    expect(may('plexus.rpc.acme.vm.attach.v1')).toBe(false);
    expect(() => integratorPermissions('a.b', 'crm')).toThrow(SubjectError);
  });

  it('confine a channel adapter to its own source and sends', () => {
    const telegram = permissionsFor(channelRole('telegram'));
    const may = (subject: string): boolean => telegram.publish.allow.some((pattern) => covers(pattern, subject));
    const subject = (source: string) => fromAdapter(channelContracts.messageReceived, source).subject('channel', 'main');
    expect(subject('telegram')).toBe('plexus.in.channel.telegram.message-received.v1.main');
    expect(may(subject('telegram'))).toBe(true);
    expect(may(subject('slack'))).toBe(false);
    expect(may(sendCommandFor('telegram').subject('acme', 'main'))).toBe(false);
    expect(may('$JS.API.CONSUMER.MSG.NEXT.PLEXUS_CMD_CHANNEL.channel-telegram')).toBe(true);
    expect(may('$JS.API.CONSUMER.MSG.NEXT.PLEXUS_CMD_CHANNEL.channel-slack')).toBe(false);
    expect(may('$KV.PLEXUS_CHANNEL_SENDS.channel-telegram.acme.x')).toBe(true);
    expect(may('$KV.PLEXUS_CHANNEL_SENDS.channel-slack.acme.x')).toBe(false);
  });

  it('let no integrator overhear the answers of another', () => {
    const names = ['acme', 'acme_crm', 'crm', 'a-b'];
    const inboxes = names.flatMap((tenant) => names.map((source) => integratorPermissions(tenant, source).subscribe.allow[0] as string));
    for (const [index, mine] of inboxes.entries()) {
      for (const [other, theirs] of inboxes.entries()) if (index !== other) expect(covers(mine, theirs.replace('>', 'x.1'))).toBe(false);
    }
  });

  it('order scopes: admin covers all, write covers read', () => {
    expect(hasScope([SCOPES.admin], SCOPES.pairing)).toBe(true);
    expect(hasScope([SCOPES.write], SCOPES.read)).toBe(true);
    expect(hasScope([SCOPES.read], SCOPES.write)).toBe(false);
    expect(hasScope([], SCOPES.read)).toBe(false);
  });
});
