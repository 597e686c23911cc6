import { randomUUID } from 'node:crypto';
import { createWriteStream, renameSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { ArchiveDigest, manifestLine, memoryArchiveContracts as archive, pagesOfLines, readManifestLine } from '@plexus/contracts';
import type { Command } from 'commander';
import { CommandFailure, EXIT } from '../exit-code.js';
import { fileLines } from '../file-lines.js';
import type { MeshOptions } from '../mesh.js';
import { callAsOperator } from '../operator-call.js';
import type { Output } from '../output.js';

interface Whose {
  readonly tenant: string;
  readonly user: string;
  readonly scope?: string;
}

type Scope = { readonly kind: 'user' | 'session' | 'agent' | 'shared'; readonly id: string };
type Manifest = archive.ArchiveManifest;

/** `plexus memory export|import|purge`: whole users and scopes. */
export function memoryArchiveCommands(command: Command, output: () => Output, mesh: () => MeshOptions): void {
  const whose = (one: Command): Command =>
    one
      .option('--tenant <tenant>', 'the tenant', 'default')
      .option('--user <user>', 'whose memories', 'me')
      .option('--scope <kind:id>', 'everything of this scope instead: user, session, agent or shared');

  whose(command.command('export <file>').description('write everything of a user or scope into a file, one JSON line each, with a manifest at its end')).action(
    async (file: string, options: Whose) => {
      const manifest = await exportTo(file, options, mesh(), (lines) => output().note(`${lines} memories …`));
      output().result({ file, ...manifest }, `${manifest.memories} memories are in ${file}, SHA-256 ${manifest.sha256}.`);
    },
  );

  whose(command.command('import <file>').description('take an export back, all of it or nothing; repeating it changes nothing')).action(
    async (file: string, options: Whose) => {
      const manifest = await checkFile(file);
      const answer = await importFrom(file, manifest, options, mesh(), (lines) => output().note(`${lines} of ${manifest.memories} memories …`));
      const { created = 0, present = 0, expired = 0 } = answer;
      output().result(answer, `${created} memories were imported, ${present} were there before, ${expired} had expired.`);
    },
  );

  whose(command.command('purge').description('remove everything of a user or scope for good, with a receipt'))
    .option('--yes', 'do it: there is no way back')
    .action(async (options: Whose & { yes?: boolean }) => {
      if (options.yes !== true) {
        const what = options.scope ?? `user ${options.user}`;
        throw new CommandFailure(
          `This removes all memories of ${what} for good.`,
          EXIT.usage,
          'Say so with --yes; `plexus memory export` keeps a copy.',
          'NOT_CONFIRMED',
        );
      }
      const { receipt } = await callAsOperator(mesh(), archive.purgeMemories, options, { ...subjectOf(options), confirm: true });
      const counts = Object.entries(receipt.counts).map(([name, count]) => `${name} ${count}`);
      output().result(receipt, [`Gone for good: ${counts.join(', ')}.`, `Receipt ${receipt.id}, signature ${receipt.signature}.`]);
    });
}

/** Into a draft that is renamed when it is whole: a file of that name is never half of an export. */
async function exportTo(file: string, options: Whose, mesh: MeshOptions, progress: (lines: number) => void): Promise<Manifest> {
  const draft = `${file}.${process.pid}.part`;
  const target = createWriteStream(draft, { mode: 0o600 });
  const digest = new ArchiveDigest();
  try {
    await once(target, 'open');
    let asOf = '';
    for (let cursor: string | undefined; ; ) {
      const page = await callAsOperator(mesh, archive.exportMemories, options, { ...subjectOf(options), ...(cursor === undefined ? {} : { cursor }) });
      for (const line of page.lines) {
        digest.add(line);
        if (!target.write(`${line}\n`)) await once(target, 'drain');
      }
      ({ asOf, nextCursor: cursor } = page);
      if (cursor === undefined) break;
      progress(digest.lines);
    }
    const manifest = digest.manifest(asOf);
    target.end(`${manifestLine(manifest)}\n`);
    await once(target, 'close');
    renameSync(draft, file);
    return manifest;
  } catch (error) {
    target.destroy();
    rmSync(draft, { force: true });
    throw error;
  }
}

/** Reads all of the file before anything is sent: half a file is refused without asking anybody. */
async function checkFile(file: string): Promise<Manifest> {
  const digest = new ArchiveDigest();
  let manifest: Manifest | undefined;
  for await (const line of fileLines(file)) {
    if (manifest !== undefined) throw new CommandFailure(`${file} goes on behind its manifest: two exports in one file?`, EXIT.failed, undefined, 'NOT_WHOLE');
    manifest = readManifestLine(line);
    if (manifest === undefined) digest.add(line);
  }
  if (manifest === undefined) {
    throw new CommandFailure(`${file} has no manifest at its end: it is not whole. Nothing was imported.`, EXIT.failed, 'Export it again.', 'NOT_WHOLE');
  }
  const found = digest.manifest(manifest.asOf);
  if (found.memories === manifest.memories && found.sha256 === manifest.sha256) return manifest;
  throw new CommandFailure(
    `${file} was changed: its manifest speaks of ${manifest.memories} memories with SHA-256 ${manifest.sha256}, it has ${found.memories} with ${found.sha256}. Nothing was imported.`,
    EXIT.failed,
    'Export it again.',
    'NOT_WHOLE',
  );
}

async function importFrom(file: string, manifest: Manifest, options: Whose, mesh: MeshOptions, progress: (lines: number) => void) {
  const importId = randomUUID();
  const send = (data: Omit<Parameters<typeof callAsOperator<typeof archive.importMemories>>[3], 'importId'>) =>
    callAsOperator(mesh, archive.importMemories, options, { importId, ...data });
  for await (const page of pagesOfLines(withoutManifest(file))) {
    await send(page);
    progress(page.from + page.lines.length);
  }
  return send({ from: manifest.memories, lines: [], manifest });
}

async function* withoutManifest(file: string): AsyncGenerator<string> {
  for await (const line of fileLines(file)) if (readManifestLine(line) === undefined) yield line;
}

function subjectOf({ user, scope }: Whose): { user: string } | { scope: Scope } {
  if (scope === undefined) return { user };
  const [, kind, id] = /^(user|session|agent|shared):(.+)$/s.exec(scope) ?? [];
  if (kind === undefined || id === undefined) {
    throw new CommandFailure(
      `${JSON.stringify(scope)} is no scope; write kind:id with user, session, agent or shared.`,
      EXIT.usage,
      undefined,
      'INVALID_SCOPE',
    );
  }
  return { scope: { kind: kind as Scope['kind'], id } };
}
