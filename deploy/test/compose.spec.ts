import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { throwAwayFolder } from '@plexus/testing';
import { SERVICE_NAMES, serviceSettings } from '../src/chart/service-settings.js';
import { OF_THE_PROCESS } from '../src/chart/owned-variables.js';
import { readFacts, readText, readYaml, root } from './support/repository.js';

interface Service {
  readonly image: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly networks?: readonly string[];
  readonly user?: string;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly stop_grace_period?: string;
  readonly healthcheck?: { readonly test: readonly string[]; readonly start_period?: string };
  readonly restart?: string;
  readonly volumes?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
}
interface Composition {
  readonly services: Readonly<Record<string, Service>>;
  readonly networks: Readonly<Record<string, { internal?: boolean }>>;
}

const REQUIRED = ['POSTGRES_PASSWORD'];
const composition = readYaml<Composition>('deploy/compose/compose.yaml');
const { services } = composition;
const facts = readFacts();

/** As Compose reads an env file. */
function envFile(file: string): Record<string, string> {
  const lines = readText(file)
    .split('\n')
    .filter((line) => /^[A-Z]/.test(line));
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
}

/** As Compose fills in variables: `${NAME:-default}`, and `${NAME:?sentence}`, which ends it. */
function interpolate(text: string, env: Readonly<Record<string, string>>): string {
  return text.replace(/\$\{([A-Z_]+)(?::([-?])([^}]*))?\}/g, (_all, name: string, kind: string | undefined, rest = '') => {
    const value = env[name] ?? '';
    if (value !== '') return value;
    if (kind === '?') throw new Error(`${name}: ${rest}`);
    return kind === '-' ? rest : '';
  });
}

const filled = { ...envFile('deploy/compose/env.example'), ...Object.fromEntries(REQUIRED.map((name) => [name, `${name}-0123456789abcdef0123456789abcdef`])) };

describe('the composition for one host', () => {
  it('runs every service of the chart, from images that are built, and everything they need', () => {
    for (const name of SERVICE_NAMES) {
      expect(services[name]?.image).toBe(`\${PLEXUS_REGISTRY:-plexus}/${facts[name]?.image}:\${PLEXUS_TAG:-0.1.0}`);
      expect(services[name]?.command?.[0]).toBe(facts[name]?.command);
      expect(services[name]?.depends_on).toMatchObject({
        streams: { condition: 'service_completed_successfully' },
        migrations: { condition: 'service_completed_successfully' },
      });
    }
    expect(Object.keys(services).filter((name) => name.startsWith('nats-'))).toHaveLength(3);
    expect(services.streams?.command).toEqual(['nats', 'apply', '--replicas', '3']);
    for (const { image } of Object.values(services)) expect(interpolate(image, filled)).toMatch(/:\d[^:@]*$/);
  });

  it('gives each service settings that it knows and takes', async () => {
    for (const [name, schema] of await serviceSettings(root)) {
      const given = Object.entries(services[name]?.environment ?? {}).map(([variable, value]) => [variable, interpolate(value, filled)] as const);
      const strangers = given.filter(([variable]) => !(variable in schema.shape) && !OF_THE_PROCESS.has(variable));
      expect({ name, strangers }).toEqual({ name, strangers: [] });
      const known = Object.fromEntries(given.filter(([variable, value]) => variable in schema.shape && value !== ''));
      expect({ name, problems: schema.safeParse(known).error?.issues ?? [] }).toEqual({ name, problems: [] });
      expect(known).toMatchObject({ NODE_ENV: 'production', NATS_NKEY_SEED_FILE: `/run/secrets/plexus/seeds/${facts[name]?.role}.nk` });
    }
    const more = readYaml<Composition>('deploy/compose/compose.docker-vms.yaml').services.scheduler?.environment ?? {};
    const settings = (await serviceSettings(root)).get('scheduler');
    expect(Object.keys(more).filter((variable) => !(variable in (settings?.shape ?? {})))).toEqual([]);
  });

  it.each(REQUIRED)('does not start without %s, which the example leaves empty', (name) => {
    expect(envFile('deploy/compose/env.example')[name]).toBe('');
    const text = readText('deploy/compose/compose.yaml');
    expect(() => interpolate(text, { ...filled, [name]: '' })).toThrow(`set ${name} in .env`);
    expect(() => interpolate(text, filled)).not.toThrow();
  });

  it('hands keys over as files, in a volume that only those who need them have', () => {
    const holders = SERVICE_NAMES.filter((name) => services[name]?.volumes?.includes('keys:/run/secrets/plexus/keys:ro'));
    expect([...holders].sort()).toEqual(['memory', 'push', 'scheduler']);
    for (const [name, { environment = {}, volumes = [] }] of Object.entries(services)) {
      const inTheClear = Object.keys(environment).filter((variable) => /(MASTER_KEY|SECRET|TOKEN)$/.test(variable));
      expect({ name, inTheClear }).toEqual({ name, inTheClear: [] });
      for (const file of Object.values(environment).filter((value) => value.startsWith('/run/secrets/plexus/'))) {
        const folder = path.dirname(file) === '/run/secrets/plexus/keys' ? '/run/secrets/plexus/keys' : '/run/secrets/plexus';
        expect({ name, file, mounted: volumes.some((volume) => volume.split(':')[1] === folder) }).toEqual({ name, file, mounted: true });
      }
    }
  });

  it('copies the two keys for the services alone, and says which one is missing', () => {
    const folder = throwAwayFolder('compose').path;
    const [bin, given, kept] = ['bin', 'given', 'kept'].map((name) => path.join(folder, name)) as [string, string, string];
    for (const one of [bin, given, kept]) mkdirSync(one);
    for (const program of ['node', 'chown']) {
      writeFileSync(path.join(bin, program), '#!/bin/sh\nexit 0\n');
      chmodSync(path.join(bin, program), 0o755);
    }
    const script = (services.accounts?.command?.[0] ?? '').replaceAll('$$', '$').replaceAll('/run/secrets/plexus', kept).replaceAll('/secrets/', `${given}/`);
    const run = () => spawnSync('/bin/sh', ['-ec', script], { encoding: 'utf8', env: { PATH: `${bin}:/usr/bin:/bin` } });
    writeFileSync(path.join(given, 'master-key'), 'the master key\n');
    const refused = run();
    expect([refused.status, refused.stderr]).toEqual([1, expect.stringContaining('vm-token beside compose.yaml is missing or empty: openssl rand -hex 32')]);
    writeFileSync(path.join(given, 'vm-token'), 'the token key\n');
    // Again and again: whoever starts the composition a second time, or with another key.
    for (const key of ['the master key', 'another key']) {
      writeFileSync(path.join(given, 'master-key'), `${key}\n`);
      expect(run()).toMatchObject({ status: 0, stderr: '' });
      const copy = path.join(kept, 'keys/master-key');
      expect([readFileSync(copy, 'utf8'), statSync(copy).mode & 0o777]).toEqual([`${key}\n`, 0o400]);
    }
  });

  it('looks after everything that stays: a health check, another start after a crash, and time for the first one', () => {
    const jobs = ['accounts', 'streams', 'migrations', 'platform'];
    for (const [name, { restart, healthcheck }] of Object.entries(services).filter(([one]) => !jobs.includes(one)))
      expect({ name, restart, healthcheck }).toEqual({
        name,
        restart: 'unless-stopped',
        healthcheck: expect.objectContaining({ test: expect.any(Array), start_period: expect.stringMatching(/^\d+s$/) }),
      });
    for (const name of jobs.slice(1)) expect({ name, restart: services[name]?.restart }).toEqual({ name, restart: 'on-failure' });
  });

  it('names in its example every variable that it reads and that is worth saying', () => {
    const read = new Set([...readText('deploy/compose/compose.yaml').matchAll(/\$\{([A-Z_]+)/g)].map(([, name]) => name as string));
    const said = Object.keys(envFile('deploy/compose/env.example'));
    expect(said.filter((name) => !read.has(name))).toEqual([]);
    expect([...read].filter((name) => !said.includes(name)).sort()).toEqual(
      ['PLEXUS_CHANNEL_SLACK_PORT', 'PLEXUS_CHANNEL_TELEGRAM_PORT', 'PLEXUS_CHANNEL_WEBHOOK_PORT', 'PLEXUS_CLUSTER'].sort(),
    );
  });

  it('keeps NATS and Postgres to itself, and opens loopback only', () => {
    expect(composition.networks.mesh).toEqual({ internal: true });
    for (const [name, { ports = [], networks }] of Object.entries(services)) {
      for (const port of ports) expect({ name, port: interpolate(port, {}) }).toEqual({ name, port: expect.stringMatching(/^127\.0\.0\.1:\d+:\d+$/) });
      if (/^(nats-|postgres|routing)/.test(name)) expect({ name, networks, ports }).toEqual({ name, networks: ['mesh'], ports: [] });
    }
  });

  it('runs services without rights, and gives each the time that it needs to end', () => {
    for (const name of SERVICE_NAMES) {
      const { stops } = facts[name] as (typeof facts)[string];
      expect(services[name]).toMatchObject({ user: '10001:10001', read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] });
      expect(services[name]?.healthcheck?.test.join(' ')).toContain('/readyz');
      expect(services[name]?.stop_grace_period).toBe(`${stops.delay + stops.drain + stops.flush + stops.margin}s`);
      // Nobody balances load in front of them: no delay.
      expect(services[name]?.environment?.SHUTDOWN_TIMEOUT_MS).toBe(String((stops.drain + stops.flush) * 1_000));
    }
  });
});
