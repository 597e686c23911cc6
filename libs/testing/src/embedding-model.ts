import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { repositoryRoot } from './repository-root.js';

export interface RunningEmbeddingModel {
  /** Up to and with `/v1`. */
  readonly baseUrl: string;
  readonly model: string;
  readonly dimensions: number;
  stop(): Promise<void>;
}

interface ModelRecord {
  readonly python: string;
  readonly server: string;
  readonly model: string;
  readonly packages: string;
}

/**
 * The real embedding model that `tools/setup-embedding-model.mjs` fetched before `npm run test:full`; undefined where it could not. Suites that
 * need it are skipped then.
 */
export function embeddingModel(): { readonly start: () => Promise<RunningEmbeddingModel> } | undefined {
  const file = path.join(repositoryRoot(), 'cache/embedding-model.json');
  if (!existsSync(file)) return undefined;
  const record = JSON.parse(readFileSync(file, 'utf8')) as ModelRecord;
  return existsSync(path.join(record.model, 'model.safetensors')) ? { start: () => start(record) } : undefined;
}

/** Serves the model in a process of its own, which ends with its standard input. */
async function start({ python, server, model, packages }: ModelRecord): Promise<RunningEmbeddingModel> {
  // One thread: on a busy machine several would wait for each other most of the time.
  const child = spawn(python, [server, model, packages], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { PATH: process.env.PATH ?? '', OPENBLAS_NUM_THREADS: '1' },
  });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const line = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', resolve);
    child.once('error', reject);
    child.once('close', (code) => reject(new Error(`the embedding server ended with code ${code} before it was ready`)));
  });
  const ready = JSON.parse(line) as { url: string; model: string; dimensions: number };
  return {
    baseUrl: ready.url,
    model: ready.model,
    dimensions: ready.dimensions,
    stop: async () => {
      child.stdin.end();
      await ended;
    },
  };
}
