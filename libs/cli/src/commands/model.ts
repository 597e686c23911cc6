import type { Command } from 'commander';
import { ConfigClient, parseDocument } from '../config-client.js';
import { addModel, removeModel } from '../config-edits.js';
import { CommandFailure, EXIT } from '../exit-code.js';
import type { MeshOptions } from '../mesh.js';
import { type Output, table } from '../output.js';
import { reportWritten } from './config-output.js';

interface Models {
  readonly providers?: Record<string, { readonly baseUrl: string; readonly apiKey?: unknown; readonly models?: { readonly id: string }[] }>;
  readonly default?: string;
}

/** A whole number of at least 1. */
function tokens(text: string | undefined, option: string): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new CommandFailure(`${option} must be a whole number, not ${JSON.stringify(text)}.`, EXIT.usage, undefined, 'USAGE');
  return value;
}

/** Only where the key is: the key itself would lie in the history for ever. */
function keyReference(options: { readonly apiKeyEnv?: string; readonly apiKeyFile?: string }): unknown {
  if (options.apiKeyEnv !== undefined && options.apiKeyFile !== undefined) {
    throw new CommandFailure('Give --api-key-env or --api-key-file, not both.', EXIT.usage, undefined, 'USAGE');
  }
  if (options.apiKeyEnv !== undefined) return { env: options.apiKeyEnv };
  return options.apiKeyFile === undefined ? undefined : { file: options.apiKeyFile };
}

/** `plexus model add|ls|rm`: models and their providers. */
export function modelCommand(program: Command, output: () => Output, mesh: () => MeshOptions): void {
  const model = program.command('model').description('language models and their providers');

  model
    .command('add <provider/model>')
    .description('add a model, and its provider when it is new')
    .option('--base-url <url>', 'OpenAI-compatible endpoint, up to and without /chat/completions')
    .option('--api-key-env <NAME>', 'variable that holds the key')
    .option('--api-key-file <file>', 'file that holds the key')
    .option('--context-window <tokens>', 'tokens it can read')
    .option('--max-tokens <tokens>', 'tokens it can write in one answer')
    .option('--default', 'use it where nothing else is said')
    .action(
      async (
        reference: string,
        options: { baseUrl?: string; apiKeyEnv?: string; apiKeyFile?: string; contextWindow?: string; maxTokens?: string; default?: boolean },
      ) => {
        const { provider, name } = split(reference);
        if (name === undefined) throw new CommandFailure(`${JSON.stringify(reference)} names no model.`, EXIT.usage, 'Write provider/model.', 'USAGE');
        const order = {
          provider,
          model: name,
          baseUrl: options.baseUrl,
          apiKey: keyReference(options),
          contextWindow: tokens(options.contextWindow, '--context-window'),
          maxTokens: tokens(options.maxTokens, '--max-tokens'),
          makeDefault: options.default === true,
        };
        const written = await new ConfigClient(mesh()).edit((document) => addModel(document, order), `model add ${reference}`);
        reportWritten(output(), written, `Model ${reference} is there.`);
      },
    );

  model
    .command('ls')
    .description('the configured models')
    .action(async () => {
      const models = (parseDocument((await new ConfigClient(mesh()).get()).text).models ?? {}) as Models;
      const rows = Object.entries(models.providers ?? {}).flatMap(([id, provider]) =>
        (provider.models?.length ? provider.models.map((one) => one.id) : ['*']).map((name) => [
          `${id}/${name}`,
          models.default === `${id}/${name}` || models.default === name ? 'yes' : '',
          provider.baseUrl,
          provider.apiKey === undefined ? 'none' : JSON.stringify(provider.apiKey),
        ]),
      );
      output().result(
        models,
        rows.length === 0 ? 'No models are configured: runtimes use their default.' : table([['MODEL', 'DEFAULT', 'ADDRESS', 'KEY'], ...rows]),
      );
    });

  model
    .command('rm <provider/model>')
    .description('remove a model, or with the provider alone all of it')
    .action(async (reference: string) => {
      const { provider, name } = split(reference);
      const written = await new ConfigClient(mesh()).edit((document) => removeModel(document, provider, name), `model rm ${reference}`);
      reportWritten(output(), written, `${reference} is gone.`);
    });
}

/** Names of models may hold slashes; those of providers do not. */
function split(reference: string): { provider: string; name: string | undefined } {
  const [provider = '', ...name] = reference.split('/');
  return { provider, name: name.length === 0 || name.join('/') === '' ? undefined : name.join('/') };
}
