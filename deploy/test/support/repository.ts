import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

export const root = fileURLToPath(new URL('../../../', import.meta.url));

export function readText(file: string): string {
  return readFileSync(path.join(root, file), 'utf8');
}

/** A YAML file with anchors and merge keys, as Helm reads it. */
export function readYaml<T = Record<string, unknown>>(file: string): T {
  return parse(readText(file), { merge: true }) as T;
}

/** Names of the example values of the chart: default, production, … */
export const VALUE_FILES: readonly string[] = readdirSync(path.join(root, 'helm/plexus/ci'))
  .filter((file) => file.endsWith('-values.yaml'))
  .map((file) => file.replace('-values.yaml', ''))
  .sort();

export const valuesFile = (name: string): string => `helm/plexus/ci/${name}-values.yaml`;

/** What the chart knows about a program: see helm/plexus/files/services.yaml. */
export interface Facts {
  readonly image: string;
  readonly command?: string;
  readonly role: string;
  readonly database?: { readonly variable: string; readonly key: string };
  readonly files?: readonly { readonly name: string; readonly secret: string; readonly variable: string; readonly previous?: string }[];
  readonly variables?: readonly { readonly variable: string }[];
  readonly port?: { readonly name: string; readonly number: number; readonly host: string; readonly variable: string };
  readonly opens: readonly string[];
  readonly stops: { readonly delay: number; readonly drain: number; readonly flush: number; readonly margin: number };
  readonly singleton?: boolean;
}

export function readFacts(): Readonly<Record<string, Facts>> {
  return readYaml<Record<string, Facts>>('helm/plexus/files/services.yaml');
}
