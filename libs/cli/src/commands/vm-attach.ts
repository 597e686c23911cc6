import { writeFileSync } from 'node:fs';
import { type ResponseOf, vmContracts } from '@plexus/contracts';
import type { Command } from 'commander';
import { CommandFailure, EXIT } from '../exit-code.js';
import { callGateway } from '../gateway-call.js';
import { gatewayAccess, type MeshOptions } from '../mesh.js';
import type { Output } from '../output.js';

type Attachment = ResponseOf<typeof vmContracts.attachExternalVm>;

interface Options {
  readonly scope: string;
  readonly template?: string;
  readonly out?: string;
}

const TIMEOUT_MS = 45_000;

/** `plexus vm attach`: a one-time ticket for a runtime that you start yourself, anywhere. `vm` is the command group that it belongs to. */
export function vmAttachCommand(vm: Command, output: () => Output, mesh: () => MeshOptions): void {
  vm.command('attach')
    .description('let a runtime that you start yourself be your VM; prints what to start it with, secrets included, once')
    .option('--scope <scope>', 'user, shared, agent:<id> or session:<id>', 'user')
    .option('--template <name>', 'template of the external provider')
    .option('--out <file>', 'write the secrets to this file (mode 0600) instead of the screen; our runtime reads them from stdin')
    .action(async ({ scope, template, out }: Options) => {
      const attachment = await ask(mesh(), { scope, ...(template === undefined ? {} : { template }) });
      if (out !== undefined) writeSecrets(out, attachment);
      output().note(
        `${attachment.vmId} waits for its runtime until ${attachment.expiresAt}. The ticket works once; a further \`plexus vm attach\` makes it worthless.`,
      );
      const { ticket: _ticket, token: _token, bootstrapSecret: _secret, ...open } = attachment;
      output().result(
        out === undefined ? attachment : { ...open, secretsFile: out },
        out === undefined ? environmentLines(attachment) : startLines(attachment, out),
      );
    });
}

/** For any runtime that speaks the plain profile. */
function environmentLines({ userId, ticket, token, ws }: Attachment): string[] {
  return [`VM_USER_ID=${quoted(userId)}`, `VM_TICKET=${quoted(ticket)}`, `VM_TOKEN=${quoted(token)}`, `CONTROL_PLANE_WS=${quoted(ws)}`];
}

/** For our own runtime: secrets neither in arguments nor in the environment. */
function startLines({ vmId, epoch, userId, ws }: Attachment, file: string): string[] {
  return [
    `VM_USER_ID=${quoted(userId)} VM_ID=${quoted(vmId)} VM_EPOCH=${epoch} CONTROL_PLANE_WS=${quoted(ws)} PLEXUS_WORKDIR="$PWD/${vmId}" \\`,
    `  node services/runtime/dist/src/main.js < ${quoted(file)}`,
  ];
}

function quoted(text: string): string {
  return /^[A-Za-z0-9_./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** Never over something that is there: it may be the secrets of another VM. */
function writeSecrets(file: string, { ticket, token, bootstrapSecret }: Attachment): void {
  try {
    writeFileSync(file, `${JSON.stringify({ ticket, token, bootstrapSecret })}\n`, { mode: 0o600, flag: 'wx' });
  } catch (cause) {
    throw new CommandFailure(
      `The secrets cannot be written to ${file}: ${(cause as Error).message}`,
      EXIT.failed,
      'Name a new file, and attach again.',
      'NOT_WRITTEN',
    );
  }
}

async function ask(options: MeshOptions, body: { readonly scope: string; readonly template?: string }): Promise<Attachment> {
  const limits = { timeoutMs: TIMEOUT_MS, hint: '`plexus status` shows what runs.' };
  return vmContracts.attachExternalVm.response.parse(await callGateway(gatewayAccess(options), 'POST', '/v1/vms/attach', body, limits));
}
