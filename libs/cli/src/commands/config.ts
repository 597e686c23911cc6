import { readFileSync } from 'node:fs';
import path from 'node:path';
import { bindingConflicts, loadConfigFile, mergePatch, nodeFiles, validateTenantConfig } from '@plexus/agent-config';
import type { Command } from 'commander';
import { ConfigClient, type CurrentConfig, type Document, invalid, parseDocument, type Problem, problemLine, type Written } from '../config-client.js';
import { setAt, unsetAt, valueAt } from '../config-edits.js';
import { CommandFailure, EXIT } from '../exit-code.js';
import type { MeshOptions } from '../mesh.js';
import { type Output, table } from '../output.js';
import { differenceLines, reportWritten } from './config-output.js';
import { statusLines, type ConfigStatus } from './config-status.js';

interface Checked {
  readonly valid: boolean;
  readonly issues: readonly Problem[];
  readonly warnings: readonly Problem[];
  readonly conflicts: readonly { readonly indexes: readonly number[]; readonly code: string; readonly message: string }[];
  readonly changedPaths?: readonly string[];
}

interface HistoryEntry {
  readonly revision: number;
  readonly hash?: string;
  readonly at: string;
  readonly by: string;
  readonly kind: string;
  readonly comment?: string;
  readonly changedPaths: readonly string[];
}

/** A file with its includes: as it is written when it stands alone, so that comments stay; merged otherwise. */
function readDocument(file: string): string {
  if (file === '-') return readFileSync(0, 'utf8');
  const loaded = loadConfigFile(file);
  if (!loaded.ok) throw invalid(loaded.error);
  return loaded.value.files.length === 1 ? readFileSync(file, 'utf8') : JSON.stringify(loaded.value.document);
}

/** Without a mesh: the same rules, for a pipeline or a pre-commit hook. `stateDir`: the folders that the document names are on this machine. */
function checkOffline(file: string, stateDir: string | undefined): Checked {
  const loaded = loadConfigFile(file);
  if (!loaded.ok) return { valid: false, issues: loaded.error, warnings: [], conflicts: [] };
  const { config, issues, warnings } = validateTenantConfig(
    loaded.value.document,
    stateDir === undefined ? {} : { stateDir: path.resolve(stateDir), fileSystem: nodeFiles },
  );
  return { valid: issues.length === 0, issues, warnings, conflicts: config === undefined ? [] : bindingConflicts(config) };
}

function reportChecked(output: Output, checked: Checked): void {
  const conflicting = checked.conflicts.filter(({ code }) => code === 'conflicting_binding');
  output.result(checked, [
    checked.valid ? 'The configuration is valid.' : `The configuration is not valid (${checked.issues.length} issue${checked.issues.length === 1 ? '' : 's'}):`,
    ...checked.issues.map(problemLine),
    ...checked.warnings.map((warning) => `warning${problemLine(warning)}`),
    ...checked.conflicts.map(({ indexes, message }) => `  bindings ${indexes.join(' and ')}: ${message}`),
    ...(checked.changedPaths?.length ? ['It would change:', ...checked.changedPaths.map((path) => `  ${path}`)] : []),
  ]);
  if (!checked.valid || conflicting.length > 0) process.exitCode = EXIT.findings;
}

/** A value as it is typed: JSON5 when it is some, else the text itself. */
function typed(text: string): unknown {
  try {
    return parseDocument(`{value: ${text}}`).value;
  } catch {
    return text; // not JSON5: a plain word
  }
}

function revisionOf(text: string): number {
  const revision = Number(text);
  if (!Number.isInteger(revision) || revision < 1)
    throw new CommandFailure(`${JSON.stringify(text)} is not a revision.`, EXIT.usage, '`plexus config history` shows them.', 'USAGE');
  return revision;
}

/** What an apply is based on: a revision that the author has seen, or whatever is there now. */
async function basisOf(client: ConfigClient, base: string | undefined, force: boolean): Promise<string> {
  if (force) return '*';
  const current: CurrentConfig = await client.get();
  if (base !== undefined && revisionOf(base) !== current.revision) {
    throw new CommandFailure(
      `The configuration is at revision ${current.revision}, not ${base}.`,
      EXIT.failed,
      'Compare with `plexus config diff`, then decide anew.',
      'CONFLICT',
    );
  }
  return current.etag;
}

/** `plexus config …`: the configuration of the tenant, read and changed through the gateway. */
export function configCommand(program: Command, output: () => Output, mesh: () => MeshOptions): void {
  const config = program.command('config').description("the tenant's configuration: read, check, change, compare, roll back");
  const client = (): ConfigClient => new ConfigClient(mesh());
  const written = (result: Written, sentence: string): void => reportWritten(output(), result, sentence);

  config
    .command('get [path]')
    .description('the document as it was written, or one setting of it')
    .option('--revision <n>', 'an earlier one')
    .action(async (path: string | undefined, options: { revision?: string }) => {
      const found = await client().get(options.revision === undefined ? undefined : revisionOf(options.revision));
      if (path === undefined) {
        output().result(found, found.text);
        return;
      }
      const value = valueAt(parseDocument(found.text), path);
      if (value === undefined)
        throw new CommandFailure(`There is nothing at ${path}.`, EXIT.failed, 'Defaults are not written down; see the reference of settings.', 'NOT_FOUND');
      output().result(value, typeof value === 'string' ? value : JSON.stringify(value, undefined, 2));
    });

  config
    .command('set <path> <value>')
    .description('one setting; the value is JSON5, or a plain word')
    .action(async (path: string, value: string) =>
      written(await client().edit((document) => setAt(document, path, typed(value)), `set ${path}`), `${path} is set.`),
    );

  config
    .command('unset <path>')
    .description('remove one setting')
    .action(async (path: string) => written(await client().edit((document) => unsetAt(document, path), `unset ${path}`), `${path} is removed.`));

  config
    .command('patch <file>')
    .description('merge a patch (null deletes, lists replace); - reads it from stdin')
    .option('--comment <text>', 'why')
    .action(async (file: string, options: { comment?: string }) => {
      const patch = parseDocument(readDocument(file));
      written(await client().edit((document) => mergePatch(document, patch) as Document, options.comment), 'The patch is applied.');
    });

  config
    .command('apply <file>')
    .description('replace the whole document by a JSON5 file with its includes; - reads it from stdin')
    .option('--base <revision>', 'only if the configuration still is at this revision')
    .option('--force', 'whatever is there meanwhile')
    .option('--comment <text>', 'why')
    .action(async (file: string, options: { base?: string; force?: boolean; comment?: string }) => {
      const text = readDocument(file);
      const etag = await basisOf(client(), options.base, options.force === true);
      written(await client().apply(text, etag, options.comment), 'The configuration is replaced.');
    });

  config
    .command('check [file]')
    .description('every issue, every warning, bindings in conflict; a file is checked without a mesh')
    .option('--against-mesh', 'also say what it would change there')
    .option('--no-files', 'folders of agents and avatars are on another machine: do not look at them')
    .action(async (file: string | undefined, options: { againstMesh?: boolean; files: boolean }) => {
      if (file !== undefined && options.againstMesh !== true) return reportChecked(output(), checkOffline(file, options.files ? mesh().state : undefined));
      const text = file === undefined ? (await client().get()).text : readDocument(file);
      reportChecked(output(), await client().postText<Checked>('/check', text));
    });

  config
    .command('diff [file]')
    .description('the current document compared with a file, or two revisions')
    .option('--from <revision>', 'default: the current one')
    .option('--to <revision>', 'default: the file, or the current one')
    .action(async (file: string | undefined, options: { from?: string; to?: string }) => {
      const from = options.from === undefined ? undefined : revisionOf(options.from);
      const to = options.to === undefined ? undefined : revisionOf(options.to);
      const revisions = { ...(from !== undefined && { from }), ...(to !== undefined && { to }) };
      const { differences } = await client().diff(revisions, file === undefined ? undefined : readDocument(file));
      output().result(differences, differences.length === 0 ? 'No difference.' : differences.flatMap(differenceLines));
      if (differences.length > 0) process.exitCode = EXIT.findings;
    });

  config
    .command('history')
    .description('the last revisions, newest first')
    .option('--limit <n>', 'at most so many, up to 50', '20')
    .action(async (options: { limit: string }) => {
      const { entries } = await client().read<{ entries: HistoryEntry[] }>(`/history?limit=${encodeURIComponent(options.limit)}`);
      const row = (entry: HistoryEntry) => [
        String(entry.revision),
        entry.at,
        entry.by,
        entry.kind,
        entry.hash?.slice(0, 12) ?? '–',
        entry.comment ?? entry.changedPaths.slice(0, 5).join(', '),
      ];
      output().result(
        entries,
        entries.length === 0 ? 'Nothing was configured yet.' : table([['REVISION', 'AT', 'BY', 'HOW', 'HASH', 'WHAT'], ...entries.map(row)]),
      );
    });

  config
    .command('rollback <revision>')
    .description('write an earlier revision again, byte for byte')
    .action(async (text: string) => {
      const revision = revisionOf(text);
      const { etag, exists } = await client().get();
      const result = await client().post<Written>('/rollback', { revision }, exists ? { 'if-match': etag } : {});
      written(result, `Revision ${revision} is in force again.`);
    });

  config
    .command('status')
    .description('how far every process is: applied, waiting for a restart, failed')
    .action(async () => {
      const status = await client().read<ConfigStatus>('/status');
      output().result(status, statusLines(status));
      if (!status.converged) process.exitCode = EXIT.findings;
    });
}
