import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { repositoryRoot } from '@plexus/local-stack';
import { Command } from 'commander';
import { replaceBetween } from '../report/markers.js';
import { INPUTS_FILE, readInputs } from './inputs.js';
import { scalingPictures } from './scaling-pictures.js';
import { scalingTables } from './scaling-tables.js';
import { takeMeasured } from './take-measured.js';

/** `npm run simulate`: writes the tables and pictures of docs/scaling.md. Resolves with the exit code. */
export async function simulateCommand(argv: readonly string[], write: (line: string) => void): Promise<number> {
  const command = new Command('simulate')
    .description('Computes docs/scaling.md: sizes, limits and reconnect storms for 10⁵, 10⁶ and 10⁷ users.')
    .option('--take <file>', 'first take the measured inputs from the result.json of a load test')
    .exitOverride();
  const options = command.parse([...argv], { from: 'user' }).opts();
  const root = repositoryRoot();
  const inputsFile = path.join(root, INPUTS_FILE);
  if (options.take !== undefined) {
    const taken = takeMeasured(readInputs(), JSON.parse(readFileSync(options.take, 'utf8')));
    writeFileSync(inputsFile, `${JSON.stringify(taken, undefined, 2)}\n`);
    write(`took the measured inputs from ${options.take}`);
  }
  const inputs = readInputs();
  const file = path.join(root, 'docs/scaling.md');
  let text = readFileSync(file, 'utf8');
  for (const [name, table] of Object.entries(scalingTables(inputs))) text = replaceBetween(text, name, table);
  writeFileSync(file, text);
  const images = path.join(root, 'docs/images');
  mkdirSync(images, { recursive: true });
  for (const [name, svg] of Object.entries(scalingPictures(inputs))) writeFileSync(path.join(images, name), `${svg}\n`);
  write(scalingTables(inputs).sizes ?? '');
  write(`\nWritten: ${path.relative(root, file)}, docs/images/scaling-*.svg`);
  return 0;
}
