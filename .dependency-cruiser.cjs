// The directions between projects and layers, as docs and CONTRIBUTING describe them. `tools/lint-boundaries.mjs` runs this on the
// sources; libs/testing plants a forbidden import and expects it to be found.

// A package shows up under its name when it cannot be resolved, else under its path.
const FRAMEWORKS = [
  '@nestjs/',
  '@nats-io/',
  '@prisma/',
  '(^|node_modules/)(pg|ws|nats|fastify)(/|$)',
  '(^@plexus|^libs)/(bus|service-kit|database|telemetry)(/|$)',
  '^services/[^/]+/gen/',
].join('|');

/** `from` may import, of all libraries, only these (and itself). */
const onlyLibraries = (name, allowed, comment) => ({
  name: `${name}-imports-only-${allowed.length === 0 ? 'itself' : allowed.join('-')}`,
  comment,
  severity: 'error',
  from: { path: `^libs/${name}/src/`, pathNot: '\\.spec\\.ts$' },
  to: { path: '^libs/|^@plexus/', pathNot: `^(libs|@plexus)/(${[name, ...allowed].join('|')})(/|$)` },
});

module.exports = {
  forbidden: [
    {
      name: 'no-service-to-service',
      comment: 'Services talk through contracts on the bus, never through imports.',
      severity: 'error',
      from: { path: '^services/([^/]+)/' },
      to: { path: '^services/([^/]+)/', pathNot: '^services/$1/' },
    },
    { name: 'no-library-to-service', comment: 'A library is below every service.', severity: 'error', from: { path: '^libs/' }, to: { path: '^services/' } },
    {
      name: 'no-cycle',
      comment: 'A cycle of files hides which one comes first.',
      severity: 'error',
      from: { pathNot: '/gen/' }, // generated clients are what they are
      to: { circular: true },
    },
    onlyLibraries('kernel', [], 'The kernel depends on nothing.'),
    onlyLibraries('contracts', ['kernel'], 'Contracts are the public API: zod and the kernel, nothing that runs.'),
    onlyLibraries('telemetry', ['kernel'], 'Telemetry is below the bus, which is instrumented with it.'),
    onlyLibraries('bus', ['kernel', 'contracts', 'telemetry'], 'kernel ← contracts ← bus'),
    onlyLibraries('database', ['kernel', 'telemetry'], 'The database library knows no contract.'),
    onlyLibraries('service-kit', ['kernel', 'contracts', 'bus', 'telemetry', 'agent-config', 'database'], 'bus ← service-kit ← services'),
    onlyLibraries('routing-core', ['kernel', 'contracts', 'agent-config'], 'Pure; embedded by edges and served by routing.'),
    onlyLibraries('client-protocol', ['kernel', 'contracts'], 'Frames of the client protocol, nothing of the mesh behind it.'),
    onlyLibraries('vm-protocol', ['kernel', 'contracts'], 'Frames of the VM protocol, nothing of the mesh behind it.'),
    onlyLibraries('agent-config', ['kernel', 'contracts'], 'Schemas of documents.'),
    onlyLibraries('context-window', ['kernel', 'contracts'], 'Pure.'),
    onlyLibraries('sdk', ['kernel', 'contracts', 'bus', 'client-protocol', 'telemetry'], 'What an integrator installs.'),
    {
      name: 'pure-layers-know-no-framework',
      comment: 'src/domain and src/application decide; Nest, NATS, Prisma, pg and sockets live in src/adapters.',
      severity: 'error',
      from: { path: '^services/[^/]+/src/(domain|application)/', pathNot: '\\.spec\\.ts$' },
      to: { path: FRAMEWORKS },
    },
    {
      name: 'domain-knows-no-layer-above',
      comment: 'domain ← application ← adapters.',
      severity: 'error',
      from: { path: '^(services/[^/]+)/src/domain/', pathNot: '\\.spec\\.ts$' },
      to: { path: '^$1/src/(application|adapters)/' },
    },
    {
      name: 'application-knows-no-adapter',
      comment: 'Use cases speak to ports; adapters implement them.',
      severity: 'error',
      from: { path: '^(services/[^/]+)/src/application/', pathNot: '\\.spec\\.ts$' },
      to: { path: '^$1/src/adapters/' },
    },
    {
      name: 'console-is-a-page',
      comment: 'It runs in a browser and speaks the public API: types of the contracts and the client of the gateway, nothing of the mesh.',
      severity: 'error',
      from: { path: '^services/console/src/', pathNot: '\\.spec\\.ts$' },
      to: { path: '^libs/|^@plexus/', pathNot: '^(libs|@plexus)/(client-protocol|contracts)(/|$)' },
    },
    {
      name: 'runtime-is-lean',
      comment: 'One runtime per VM: no Nest, no Prisma, no bus (it has no NATS credential), no database.',
      severity: 'error',
      from: { path: '^services/runtime/src/' },
      to: { path: '@nestjs/|@prisma/|@nats-io/|(^|node_modules/)pg(/|$)|(^@plexus|^libs)/(bus|service-kit|database)(/|$)' },
    },
    {
      name: 'gateway-has-no-database',
      comment: 'The gateway keeps nothing of its own.',
      severity: 'error',
      from: { path: '^services/gateway/src/' },
      to: { path: '@prisma/|(^|node_modules/)pg(/|$)|(^@plexus|^libs)/database(/|$)' },
    },
    {
      name: 'testing-only-in-tests',
      comment: 'Test servers and stand-ins never reach a program that runs.',
      severity: 'error',
      from: { pathNot: '(^libs/testing/|/test/|/bench/|/eval/|\\.spec\\.ts$)' },
      to: { path: '(^@plexus|^libs)/testing(/|$)' },
    },
    {
      name: 'local-stack-only-in-tools',
      comment: 'Embedded servers are for one machine; services must not know them.',
      severity: 'error',
      from: { pathNot: '^(libs/(local-stack|testing|cli|chaos)/|tools/)|/test/|/bench/|\\.spec\\.ts$' },
      to: { path: '(^@plexus|^libs)/local-stack(/|$)' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)(dist|node_modules/(?!@nestjs|@nats-io|nats|@prisma|pg|ws|fastify|@plexus))(/|$)' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['@plexus/source', 'import', 'node', 'default'],
      extensions: ['.ts', '.js', '.mjs'],
      extensionAlias: { '.js': ['.ts', '.js'] },
    },
  },
};
