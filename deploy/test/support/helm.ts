import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';
import { root, valuesFile } from './repository.js';

const exec = promisify(execFile);
const TIMEOUT_MS = 60_000;

export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  // biome-ignore lint/suspicious/noExplicitAny: objects of every kind, looked into by tests
  readonly [part: string]: any;
}

/** Helm, as `tools/setup-helm.mjs` noted it; undefined where there is none. */
export function helmBinary(): string | undefined {
  const record = path.join(root, 'cache/helm.json');
  if (!existsSync(record)) return undefined;
  const { bin } = JSON.parse(readFileSync(record, 'utf8')) as { bin: string };
  return bin === 'helm' || existsSync(bin) ? bin : undefined;
}

export const RELEASE = 'p';
export const NAMESPACE = 'plexus';
const CHART = 'helm/plexus';
const KUBE_VERSION = '1.34.0';

/** Runs Helm in the repository. Resolves with its outcome; never rejects because of an exit code. */
export async function helm(...args: string[]): Promise<{ readonly ok: boolean; readonly stdout: string; readonly stderr: string }> {
  try {
    const { stdout, stderr } = await exec(helmBinary() as string, args, { cwd: root, timeout: TIMEOUT_MS, maxBuffer: 64 * 1024 * 1024 });
    return { ok: true, stdout, stderr };
  } catch (error) {
    const { stdout = '', stderr = String(error) } = error as { stdout?: string; stderr?: string };
    return { ok: false, stdout, stderr };
  }
}

const renderArguments = (args: readonly string[]): string[] => ['template', RELEASE, CHART, '--namespace', NAMESPACE, '--kube-version', KUBE_VERSION, ...args];

/** The text of a rendered release. Throws with Helm's words when it refuses. */
export async function renderText(...args: string[]): Promise<string> {
  const { ok, stdout, stderr } = await helm(...renderArguments(args));
  if (!ok) throw new Error(stderr);
  return stdout;
}

/** All objects of a release with one of the example values. */
export async function render(name: string, ...args: string[]): Promise<KubernetesObject[]> {
  return objectsIn(await renderText('--values', valuesFile(name), ...args));
}

export function objectsIn(text: string): KubernetesObject[] {
  return parseAllDocuments(text)
    .map((document) => {
      if (document.errors.length > 0) throw document.errors[0];
      return document.toJS() as KubernetesObject | null;
    })
    .filter((object): object is KubernetesObject => object !== null);
}

/** What Helm says when it refuses these settings; fails when it takes them. */
export async function refusal(...settings: string[]): Promise<string> {
  const { ok, stderr } = await helm(...renderArguments(settings.flatMap((setting) => ['--set-json', setting])));
  if (ok) throw new Error(`these settings were taken: ${settings.join(' ')}`);
  return stderr;
}

export const lint = (name: string) => helm('lint', CHART, '--strict', '--kube-version', KUBE_VERSION, '--values', valuesFile(name));
