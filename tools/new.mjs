// Writes the skeleton of a new library or service: `npm run new -- lib|service <name>`.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const [kind, name] = process.argv.slice(2);
if (!['lib', 'service'].includes(kind) || !/^[a-z][a-z0-9-]{1,30}$/.test(name ?? '')) {
  process.stderr.write('usage: npm run new -- lib|service <kebab-case-name>\n');
  process.exit(2);
}
const folder = `${kind}s/${name}`;
const at = (file) => path.join(root, folder, file);
if (existsSync(at('package.json'))) {
  process.stderr.write(`${folder} exists already.\n`);
  process.exit(1);
}
const versionOf = (dependency, from) => JSON.parse(readFileSync(path.join(root, from, 'package.json'), 'utf8')).dependencies[dependency];
const json = (value) => `${JSON.stringify(value, null, 2)}\n`;
const write = (file, content) => {
  mkdirSync(path.dirname(at(file)), { recursive: true });
  writeFileSync(at(file), content);
};
const service = kind === 'service';
const libraries = service ? ['kernel', 'contracts', 'bus', 'service-kit', 'telemetry'] : ['kernel'];
const external = service ? ['@nestjs/common', '@nestjs/core', '@nestjs/microservices', 'reflect-metadata', 'rxjs', 'zod'] : [];
const source = { '.': { '@plexus/source': './src/index.ts', types: './dist/src/index.d.ts', default: './dist/src/index.js' } };

write(
  'package.json',
  json({
    name: `@plexus/${name}`,
    version: '0.1.0',
    private: true,
    description: 'One sentence: what it is for.',
    license: 'Apache-2.0',
    type: 'module',
    ...(service ? {} : { exports: source }),
    scripts: { build: 'tsc -b', lint: 'biome check . --diagnostic-level=error', test: 'node ../../tools/run-jest.mjs' },
    dependencies: Object.fromEntries([
      ...libraries.map((library) => [`@plexus/${library}`, '0.1.0']),
      ...external.map((dependency) => [dependency, versionOf(dependency, 'services/push')]),
    ]),
  }),
);
write(
  'tsconfig.json',
  json({
    extends: '../../tsconfig.base.json',
    compilerOptions: { rootDir: '.', outDir: 'dist', tsBuildInfoFile: 'dist/.tsbuildinfo' },
    include: ['src/**/*.ts'],
    exclude: ['src/**/*.spec.ts'],
    references: libraries.map((library) => ({ path: `../../libs/${library}` })),
  }),
);
write(
  'tsconfig.spec.json',
  json({
    extends: '../../tsconfig.base.json',
    compilerOptions: { rootDir: '../..', composite: false, noEmit: true, declaration: false, types: ['node', 'jest'], customConditions: ['@plexus/source'] },
    include: ['src/**/*.ts', 'test/**/*.ts'],
  }),
);
const headings = service
  ? ['Purpose', 'Contracts in', 'Contracts out', 'Settings', 'Failure modes', 'Runbook']
  : ['Purpose', 'Interface', 'Guarantees', 'Failure modes'];
write('README.md', `# @plexus/${name}\n\n${headings.map((heading) => `## ${heading}\n`).join('\n')}`);
if (service) {
  write(
    'src/config.ts',
    "import { z } from 'zod';\n\n/** Settings of this service; the common ones come from `service-kit`. */\nexport const configSchema = z.object({});\n",
  );
  const className = name.replace(/(^|-)([a-z])/g, (_match, _dash, letter) => letter.toUpperCase());
  write(
    `src/${name}.module.ts`,
    `import { Module } from '@nestjs/common';\n\n/** Wiring only. */\n@Module({ controllers: [], providers: [] })\nexport class ${className}Module {}\n`,
  );
  write(
    'src/config.spec.ts',
    "import { configSchema } from './config.js';\n\nit('starts with the settings of an empty environment', () => {\n  expect(configSchema.safeParse({})).toMatchObject({ success: true });\n});\n",
  );
  write(
    'src/main.ts',
    `import { runService } from '@plexus/service-kit';\nimport { configSchema } from './config.js';\nimport { ${className}Module } from './${name}.module.js';\n\nawait runService({ name: '${name}', config: configSchema, needs: { consumers: [], streams: [], buckets: [] }, create: async () => ({ module: ${className}Module }) });\n`,
  );
} else {
  const subject = name.replace(/-([a-z])/g, (_match, letter) => letter.toUpperCase());
  write('src/index.ts', `/** Replace with what this library is for. */\nexport const ${subject}Name = '${name}';\n`);
  write(
    'src/index.spec.ts',
    `import { ${subject}Name } from './index.js';\n\nit('is called what it is', () => {\n  expect(${subject}Name).toBe('${name}');\n});\n`,
  );
}
const rootConfig = path.join(root, 'tsconfig.json');
const references = JSON.parse(readFileSync(rootConfig, 'utf8'));
references.references.push({ path: folder });
writeFileSync(rootConfig, json(references));
process.stdout.write(`${folder} written. Next: npm install (links the workspace), then CONTRIBUTING.md, "A new ${kind === 'lib' ? 'contract' : 'service'}".\n`);
