import { foreignCanaries, type History } from '../history.js';
import { type Violation, violation } from './violation.js';

const GONE = new Set(['terminated', 'failed']);

/** Memories: each acknowledged one is there once, unchanged, with its owner. */
export function checkMemories({ operations, final }: History): Violation[] {
  const writes = operations.filter(({ kind }) => kind === 'remember');
  const found: Violation[] = [];
  for (const write of writes) {
    const kept = final.memories.filter(({ content }) => content.includes(`[${write.id}]`));
    if (write.outcome === 'ok' && kept.length === 0) found.push(violation('lost', `memory ${write.id} was acknowledged and is not there`));
    if (write.outcome === 'refused' && kept.length > 0) found.push(violation('phantom', `memory ${write.id} was refused and is there`));
    if (kept.length > 1) found.push(violation('doubled', `memory ${write.id} is there ${kept.length} times`));
    for (const { tenant, user, id } of kept) {
      if (tenant !== write.tenant || user !== write.user)
        found.push(violation('isolation', `memory ${write.id} of ${write.tenant}/${write.user} is with ${tenant}/${user}`));
      if (write.outcome === 'ok' && write.result !== undefined && write.result !== id) {
        found.push(violation('agreement', `memory ${write.id} was acknowledged as ${write.result} and is ${id}`));
      }
    }
  }
  return found;
}

/** VMs: everybody who asks for the VM of an owner is told of the same one, it is still there, and no VM has two processes. */
export function checkVms({ operations, final }: History): Violation[] {
  const found: Violation[] = [];
  const told = new Map<string, Set<string>>();
  for (const { kind, outcome, tenant, user, result } of operations) {
    if (kind !== 'ensure' || outcome !== 'ok' || result === undefined) continue;
    const owner = `${tenant}/${user}`;
    told.set(owner, (told.get(owner) ?? new Set()).add(result));
  }
  for (const [owner, ids] of told) {
    if (ids.size > 1) found.push(violation('vms', `${owner} was told of ${ids.size} VMs: ${[...ids].join(', ')}`));
    for (const id of ids) if (!final.vms.some(({ vmId }) => vmId === id)) found.push(violation('lost', `VM ${id} of ${owner} is gone`));
  }
  const living = new Map<string, number>();
  for (const { tenant, user, state } of final.vms) if (!GONE.has(state)) living.set(`${tenant}/${user}`, (living.get(`${tenant}/${user}`) ?? 0) + 1);
  for (const [owner, count] of living) if (count > 1) found.push(violation('vms', `${owner} has ${count} VMs`));
  const processes = new Map<string, number>();
  for (const { vmId } of final.processes) processes.set(vmId, (processes.get(vmId) ?? 0) + 1);
  for (const [vmId, count] of processes) if (count > 1) found.push(violation('vms', `VM ${vmId} has ${count} processes`));
  return found;
}

/** Nothing of one tenant is shown to another: neither while it ran nor in what is kept. */
export function checkIsolation({ leaks, final }: History): Violation[] {
  const kept = [
    ...final.transcripts.flatMap(({ tenant, user, session, messages }) => messages.map(({ text }) => ({ tenant, user, text, where: `transcript ${session}` }))),
    ...final.memories.map(({ tenant, user, id, content }) => ({ tenant, user, text: content, where: `memory ${id}` })),
  ].filter(({ text, tenant }) => foreignCanaries(text, tenant).length > 0);
  return [...leaks, ...kept].map(({ tenant, user, where, text }) => violation('isolation', `${tenant}/${user}, ${where}: ${text.slice(0, 120)}`));
}

/** What is left over in the end. */
export function checkRest({ final }: History): Violation[] {
  return [
    ...final.unsettled.map((what) => violation('rest', what)),
    ...final.parked.map(({ subject, reason }) => violation('parked', `${subject}: ${reason}`)),
  ];
}
