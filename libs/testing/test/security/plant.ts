import { randomBytes } from 'node:crypto';
import { HEADERS, vmContracts } from '@plexus/contracts';
import { waitFor } from '../../src/index.js';
import type { Resident, TwoTenants } from './two-tenants.js';

/** What stands where in somebody's part of a mesh: markers that must not be seen elsewhere, and the names of things. */
export interface Planted {
  /** In everything that is about the person. */
  readonly person: string;
  /** In what belongs to the tenant and not to a person: configuration, policies, skills. */
  readonly tenant: string;
  readonly sessionKey: string;
  readonly sessionId: string;
  readonly runId: string;
  readonly memoryId: string;
  readonly subscriptionId: string;
  readonly scheduleId: string;
  readonly ruleId: string;
  readonly contactId: string;
  readonly silenceId: string;
  readonly deliveryId: string;
  readonly vmId: string;
  readonly policyVersion: number;
  readonly skillId: string;
  readonly parkedSeq: number;
}

const LATER = () => new Date(Date.now() + 30 * 86_400_000).toISOString();

/** Fills a tenant through the API, as its people would, with markers in every text. */
export async function plant({ operator }: TwoTenants, who: Resident): Promise<Planted> {
  const person = `canary-person-${randomBytes(8).toString('hex')}`;
  const tenant = `canary-tenant-${randomBytes(8).toString('hex')}`;
  const sessionKey = 'agent:main:vault';
  const session = encodeURIComponent(sessionKey);

  const agents = { list: [{ id: 'main', default: true, systemPrompt: `You are ${tenant}.` }] };
  await who.do('PUT', '/v1/config', { agents }, { 'if-match': '*' });
  const { runId } = await who.do<{ runId: string }>('POST', '/v1/chat/send', { sessionKey, message: `I say ${person}.`, on_client_disconnect: 'continue' });
  await waitFor(async () => (await who.ask('GET', `/v1/sessions/${session}/history`)).text.includes('"assistant"'), { what: 'the answer of the agent' });
  const history = await who.do<{ sessionId: string }>('GET', `/v1/sessions/${session}/history`);
  await who.do('PATCH', `/v1/sessions/${session}`, { label: person });
  await who.do('POST', `/v1/sessions/${session}/grants`, { grantee: 'carl', access: 'read' });

  const memory = await who.do<{ id: string }>('POST', '/v1/memory', { content: `Remember ${person}.` });
  const scope = { scopeKind: 'topic', scopeRef: person };
  const granted = { scopeKind: 'topic', scopeRef: tenant };
  const subscription = await who.do<Record<string, { id?: string }> & { id?: string }>('POST', '/v1/subscriptions', { ...scope, name: 'vault' });
  await who.do('POST', '/v1/grants', { user: 'carl', ...granted });
  await who.do('PUT', '/v1/quiet-hours', { tz: 'Europe/Berlin', start: '23:58', end: '23:59', bypassPriority: 'P3' });
  await who.do('PATCH', '/v1/preferences', { put: [{ match: { types: [person] }, value: 'on' }] });
  const silence = await who.do<object>('POST', '/v1/silences', {
    matchers: [{ label: 'type', op: '=', value: `never-${person}` }],
    seconds: 86_400,
    reason: person,
  });
  const contact = await who.do<object>('POST', '/v1/contacts', { channel: 'email', address: `${person}@example.org`, label: person });
  const schedule = await who.do<object>('POST', '/v1/schedules', {
    name: person,
    at: LATER(),
    action: { kind: 'agent', agentId: 'main', message: person, sessionKey },
  });
  const rule = await who.do<object>('POST', '/v1/dispatch-rules', {
    name: person,
    match: { types: [`never.${person}`] },
    research: { message: person },
  });
  await who.do('POST', '/v1/tools/notify-user', { summary: `Notice ${person}`, topics: [person] });
  let inbox: { items: { deliveryId?: string; id?: string }[] } = { items: [] };
  const arrived = async () => {
    inbox = await who.do('GET', '/v1/inbox');
    return inbox.items[0];
  };
  const item = await waitFor(arrived, { timeoutMs: 60_000, what: 'the item in the inbox' }).catch(async (error: Error) => {
    throw new Error(`${error.message}: ${JSON.stringify(inbox)} ${(await who.ask('GET', '/v1/push/stats')).text}`);
  });
  const policy = await who.do<{ version?: number; policy?: { version: number } }>('POST', '/v1/policies', `name: ${tenant}\n`);
  await who.do('POST', '/v1/skills', {
    files: [{ path: 'SKILL.md', content: `---\nname: vault\ndescription: Knows ${tenant}.\nversion: 1.0.0\n---\nSay it.\n` }],
  });
  await operator.call(vmContracts.putVmSecret, who.tenant, { name: 'vault', value: person }, { token: who.jwt() });
  const { vms } = await who.do<{ vms: { vmId: string }[] }>('GET', '/v1/vms');
  const park = (subject: string, stream: string, data: object) =>
    operator.publishRaw(`plexus.dlq.${who.tenant}.${subject}`, Buffer.from(JSON.stringify({ data: { ...data, text: person } })), {
      headers: { [HEADERS.dlqReason]: 'planted', [HEADERS.dlqCode]: 'PLANTED', [HEADERS.dlqConsumer]: 'push-in', [HEADERS.dlqStream]: stream },
      msgId: `${person}-${subject}`,
    });
  const parked = await park('push.push-in.v1.vault', 'PLEXUS_IN', { user: who.user });
  await park(`run.scheduler-run.v1.${history.sessionId}`, 'PLEXUS_CMD_RUN', {});
  await park('channel.channel-webhook.v1.vault', 'PLEXUS_CMD_CHANNEL', { sendId: 'planted', sessionKey });
  return {
    ...{ person, tenant, sessionKey, sessionId: history.sessionId, runId, memoryId: memory.id },
    subscriptionId: idIn(subscription),
    scheduleId: idIn(schedule),
    ruleId: idIn(rule),
    contactId: idIn(contact),
    silenceId: idIn(silence),
    deliveryId: item.deliveryId ?? (item.id as string),
    vmId: vms[0]?.vmId as string,
    policyVersion: policy.version ?? (policy.policy?.version as number),
    skillId: 'vault',
    parkedSeq: parked.seq,
  };
}

/** The id of an answer `{id}` or `{thing: {id}}`. */
function idIn(answer: object): string {
  const found = /"id":"([^"]+)"/.exec(JSON.stringify(answer))?.[1];
  if (found === undefined) throw new Error(`no id in ${JSON.stringify(answer)}`);
  return found;
}
