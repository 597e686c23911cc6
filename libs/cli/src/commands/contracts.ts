import { readFileSync } from 'node:fs';
import { type Contract, CONTRACTS, contractName, findContract } from '@plexus/contracts';
import type { Command } from 'commander';
import { z } from 'zod';
import { CommandFailure, EXIT } from '../exit-code.js';
import { type Output, table } from '../output.js';

function wanted(name: string): Contract {
  const contract = findContract(name);
  if (contract !== undefined) return contract;
  const near = CONTRACTS.filter((candidate) => contractName(candidate).includes(name.split('.').pop() ?? name)).map(contractName);
  throw new CommandFailure(
    `There is no contract ${JSON.stringify(name)}.`,
    EXIT.usage,
    near.length > 0 ? `Did you mean ${near.slice(0, 5).join(', ')}?` : '`plexus contracts list` shows all.',
    'NOT_FOUND',
  );
}

function summary(contract: Contract): Record<string, unknown> {
  return {
    kind: contract.kind,
    domain: contract.domain,
    name: contract.name,
    version: contract.version,
    type: contract.type,
    subject: contract.pattern('<tenant>'),
    summary: contract.summary,
  };
}

function readInput(file: string): unknown {
  const text = readFileSync(file === '-' ? 0 : file, 'utf8');
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CommandFailure(`${file === '-' ? 'Standard input' : file} is not JSON: ${(cause as Error).message}`, EXIT.findings, undefined, 'INVALID_JSON');
  }
}

/** `plexus contracts list|show|validate`: works without a mesh. */
export function contractsCommand(program: Command, output: () => Output): void {
  const contracts = program.command('contracts').description('the public contracts: list, show one, validate a payload');

  contracts
    .command('list')
    .description('every contract')
    .option('--kind <kind>', 'only this kind (rpc, cmd, evt, rt, in)')
    .option('--domain <domain>', 'only this domain')
    .action((options: { kind?: string; domain?: string }) => {
      const found = CONTRACTS.filter(
        (contract) => (options.kind ?? contract.kind) === contract.kind && (options.domain ?? contract.domain) === contract.domain,
      );
      output().result(
        found.map(summary),
        table(found.map((contract) => [contract.kind, `${contract.domain}.${contract.name}.v${contract.version}`, contract.summary.split('. ')[0] ?? ''])),
      );
    });

  contracts
    .command('show <name>')
    .description('schema, subject and example of one contract, for example `memory.write`')
    .action((name: string) => {
      const contract = wanted(name);
      const schema = z.toJSONSchema(contract.data, { io: 'input', unrepresentable: 'any' });
      const response = 'response' in contract ? z.toJSONSchema(contract.response as z.ZodType, { unrepresentable: 'any' }) : undefined;
      output().result({ ...summary(contract), schema, ...(response === undefined ? {} : { response }), examples: contract.examples }, [
        contractName(contract),
        contract.summary,
        '',
        `subject   ${contract.pattern('<tenant>')}`,
        ...(contract.kind === 'rpc' || contract.kind === 'rt' ? [] : [`type      ${contract.type}`]),
        '',
        `schema    ${JSON.stringify(schema, null, 2)}`,
        ...(response === undefined ? [] : ['', `answer    ${JSON.stringify(response, null, 2)}`]),
        '',
        `example   ${JSON.stringify(contract.examples[0], null, 2)}`,
      ]);
    });

  contracts
    .command('validate <name> [file]')
    .description('check a JSON payload (file, or - for standard input) against a contract; exit 4 when it does not fit')
    .action((name: string, file = '-') => {
      const contract = wanted(name);
      const parsed = contract.data.safeParse(readInput(file));
      const issues = parsed.success ? [] : parsed.error.issues.map((issue) => ({ path: issue.path.join('.') || '(root)', message: issue.message }));
      output().result(
        { contract: contractName(contract), valid: parsed.success, issues },
        parsed.success ? `valid ${contractName(contract)}` : issues.map((issue) => `${issue.path}: ${issue.message}`),
      );
      if (!parsed.success) process.exitCode = EXIT.findings;
    });
}
