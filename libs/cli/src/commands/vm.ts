import type { vmContracts } from '@plexus/contracts';
import type { Command } from 'commander';
import { callGateway } from '../gateway-call.js';
import { gatewayAccess, type MeshOptions } from '../mesh.js';
import { type Output, table } from '../output.js';

type Vm = vmContracts.VmSummary;
type Method = 'GET' | 'POST' | 'DELETE';

const CALL_MS = 70_000;

/** One call of `/v1/vms`. Rejects with the problem that the gateway answers. */
const callVms = <T>(options: MeshOptions, method: Method, path: string, body?: object): Promise<T> =>
  callGateway<T>(gatewayAccess(options), method, `/v1/vms${path}`, body, { timeoutMs: CALL_MS });

const reasonOf = (vm: Vm): string => (vm.reason === undefined ? '' : `${vm.reason.code}: ${vm.reason.text}`);
const row = (vm: Vm): string[] => [vm.vmId, vm.owner, vm.scopeKey, vm.state, String(vm.epoch), vm.provider ?? '', vm.stateSince, reasonOf(vm)];
const lines = (vm: Vm): string[] =>
  Object.entries(vm).map(([key, value]) => `${key.padEnd(16)} ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`);
const at = (id: string, rest = ''): string => `/${encodeURIComponent(id)}${rest}`;

/** `plexus vm ls|show|ensure|pause|resume|rm|logs|why|history|drain`: the machines that agents run in. Returns the command, for what belongs beside them. */
export function vmCommand(program: Command, output: () => Output, mesh: () => MeshOptions): Command {
  const vm = program.command('vm').description('VMs: list, show, ensure, pause, resume, end, explain');
  reading(vm, output, mesh);

  vm.command('ensure')
    .description('the one VM of a scope: found, resumed or made')
    .option('--scope <scope>', 'user, shared, agent:<id> or session:<id>', 'user')
    .option('--agent <id>', 'scope and limits as the configuration of this agent says')
    .option('--session <id>', 'with --agent: the session, where the agent has one VM each')
    .option('--template <name>', 'template of a new VM')
    .option('--wait', 'wait until it is ready')
    .option('--allow-empty-workspace', 'start elsewhere with an empty workspace when its host is gone')
    .action(async (options: { scope: string; agent?: string; session?: string; template?: string; wait?: boolean; allowEmptyWorkspace?: boolean }) => {
      const body = {
        ...(options.agent === undefined ? { scope: options.scope } : { agentId: options.agent }),
        ...(options.session === undefined ? {} : { sessionId: options.session }),
        ...(options.template === undefined ? {} : { template: options.template }),
        ...(options.allowEmptyWorkspace === true ? { allowEmptyWorkspace: true } : {}),
        wait: options.wait === true ? 'ready' : 'none',
      };
      const answer = await callVms<{ vmId: string; state: string; epoch: number; created: boolean; resumed: boolean; reason?: string }>(
        mesh(),
        'POST',
        '/ensure',
        body,
      );
      const how = answer.created ? 'created' : answer.resumed ? 'resumed' : 'found';
      output().result(answer, `${answer.vmId} ${answer.state} (${how}, epoch ${answer.epoch})${answer.reason === undefined ? '' : ` – ${answer.reason}`}`);
    });

  const wish = (name: string, description: string, method: Method, path: string): void => {
    vm.command(`${name} <vm>`)
      .description(description)
      .action(async (id: string) => {
        const answer = await callVms<{ vm: Vm }>(mesh(), method, at(id, path));
        output().result(answer.vm, `${id} is ${answer.vm.state}, wanted ${answer.vm.desiredState}`);
      });
  };
  wish('pause', 'finish what runs, then stop; the workspace stays', 'POST', '/pause');
  wish('resume', 'start a paused one again', 'POST', '/resume');
  wish('touch', 'note that it is used', 'POST', '/touch');
  wish('rm', 'end it for good', 'DELETE', '');

  vm.command('drain <vm>')
    .description('take it out of use: no new runs; it starts again when somebody needs it')
    .option('--cancel', 'take that back')
    .action(async (id: string, options: { cancel?: boolean }) => {
      const answer = await callVms<{ vm: Vm }>(mesh(), 'POST', at(id, '/drain'), { cancel: options.cancel === true });
      output().result(answer.vm, `${id} is ${answer.vm.state}`);
    });
  return vm;
}

function reading(vm: Command, output: () => Output, mesh: () => MeshOptions): void {
  vm.command('ls')
    .description('newest first')
    .option('--all', 'also those that are over')
    .option('--limit <n>', 'at most so many', '100')
    .action(async (options: { all?: boolean; limit: string }) => {
      const { vms } = await callVms<{ vms: Vm[] }>(mesh(), 'GET', `?limit=${encodeURIComponent(options.limit)}&includeTerminated=${options.all === true}`);
      output().result(
        vms,
        vms.length === 0 ? 'There are no VMs.' : table([['VM', 'OWNER', 'SCOPE', 'STATE', 'EPOCH', 'PROVIDER', 'SINCE', 'REASON'], ...vms.map(row)]),
      );
    });

  vm.command('show <vm>')
    .description('everything about one')
    .action(async (id: string) => {
      const answer = await callVms<{ vm: Vm }>(mesh(), 'GET', at(id));
      output().result(answer.vm, lines(answer.vm));
    });

  vm.command('why <vm>')
    .description('why it is in its state, what keeps it alive, and who used it')
    .action(async (id: string) => {
      const why = await callVms<{ vm: Vm; because: string[]; until?: string; activity: { kind: string; source: string; at: string }[] }>(
        mesh(),
        'GET',
        at(id, '/why'),
      );
      output().result(why, [
        `${id} is ${why.vm.state}.`,
        ...why.because.map((sentence) => `  ${sentence}`),
        ...(why.until === undefined ? [] : [`  until ${why.until}`]),
        ...(why.activity.length === 0 ? [] : ['', ...table([['WHEN', 'WHAT', 'WHO'], ...why.activity.map((entry) => [entry.at, entry.kind, entry.source])])]),
      ]);
    });

  vm.command('history <vm>')
    .description('the states it went through, newest first')
    .action(async (id: string) => {
      const { transitions } = await callVms<{ transitions: { from: string; to: string; cause: string; epoch: number; at: string }[] }>(
        mesh(),
        'GET',
        at(id, '/history'),
      );
      output().result(
        transitions,
        table([['WHEN', 'FROM', 'TO', 'CAUSE', 'EPOCH'], ...transitions.map((move) => [move.at, move.from, move.to, move.cause, String(move.epoch)])]),
      );
    });

  vm.command('logs <vm>')
    .description('what its runtime said last')
    .option('--bytes <n>', 'at most so many', '16384')
    .action(async (id: string, options: { bytes: string }) => {
      const { text } = await callVms<{ text?: string }>(mesh(), 'GET', at(id, `/logs?tailBytes=${encodeURIComponent(options.bytes)}`));
      output().result({ text: text ?? null }, text ?? 'Its provider keeps no log.');
    });
}
