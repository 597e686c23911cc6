import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { buildSubject, CloudEvent, isTenantId, SUBJECT_KINDS, SubjectError, type SubjectKind } from '@plexus/contracts';
import type { Command } from 'commander';
import { CommandFailure, EXIT } from '../exit-code.js';
import { type MeshOptions, withBus } from '../mesh.js';
import type { Output } from '../output.js';
import { noteDone } from './audit.js';

interface PublishOptions {
  readonly tenant: string;
  readonly key: string;
  readonly data?: string;
  readonly file?: string;
  readonly id?: string;
  readonly type?: string;
  readonly severity?: string;
}

function payload(options: PublishOptions): unknown {
  const text = options.file === undefined ? (options.data ?? '{}') : readFileSync(options.file === '-' ? 0 : options.file, 'utf8');
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CommandFailure(`The data is not JSON: ${(cause as Error).message}`, EXIT.usage, undefined, 'INVALID_JSON');
  }
}

/** `<source>.<name>` of an event that enters Plexus, and the CloudEvent that carries it. */
function compose(name: string, options: PublishOptions): { subject: string; event: CloudEvent } {
  const [source, event, extra] = name.split('.');
  if (source === undefined || event === undefined || extra !== undefined) {
    throw new CommandFailure(
      `${JSON.stringify(name)} is not <source>.<name>.`,
      EXIT.usage,
      'For example `plexus events publish demo.import-finished`.',
      'USAGE',
    );
  }
  const candidate = {
    specversion: '1.0',
    id: options.id ?? randomUUID(),
    source: `/${source}`,
    type: options.type ?? `${source}.${event}`,
    time: new Date().toISOString(),
    datacontenttype: 'application/json',
    ...(options.severity === undefined ? {} : { severity: options.severity }),
    data: payload(options),
  };
  const parsed = CloudEvent.safeParse(candidate);
  if (!parsed.success)
    throw new CommandFailure(
      parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; '),
      EXIT.usage,
      undefined,
      'INVALID_EVENT',
    );
  try {
    return { subject: buildSubject({ kind: 'in', tenant: options.tenant, domain: source, name: event, version: 1, key: [options.key] }), event: parsed.data };
  } catch (error) {
    if (error instanceof SubjectError) throw new CommandFailure(error.message, EXIT.usage, 'Source and name are [a-z0-9][a-z0-9_-]*.', 'USAGE');
    throw error;
  }
}

function kindOf(text: string): SubjectKind {
  if (!(SUBJECT_KINDS as readonly string[]).includes(text))
    throw new CommandFailure(`${JSON.stringify(text)} is not a kind.`, EXIT.usage, `Kinds: ${SUBJECT_KINDS.join(', ')}.`, 'USAGE');
  return text as SubjectKind;
}

/** One line for people: kind and name, the end of the subject, and the data. */
function line(subject: string, body: string): string {
  let shown = body;
  try {
    const parsed = JSON.parse(body) as { specversion?: string; data?: unknown };
    shown = JSON.stringify(parsed.specversion === undefined ? parsed : parsed.data);
  } catch {
    // Not JSON: shown as it came; a tail must not hide what a broken publisher sent.
  }
  return `${subject}  ${shown.length > 400 ? `${shown.slice(0, 400)}…` : shown}`;
}

/** `plexus events publish|tail`. */
export function eventsCommand(program: Command, output: () => Output, mesh: () => MeshOptions): void {
  const events = program.command('events').description('publish an event as an integrator would, or watch what passes');

  events
    .command('publish <source.name>')
    .description('publish a CloudEvent on plexus.in.<tenant>.<source>.<name>.v1.<key> and wait until it is stored')
    .option('--tenant <tenant>', 'the tenant', 'default')
    .option('--key <key>', 'identifier that the event is about', 'cli')
    .option('--data <json>', 'the data')
    .option('--file <file>', 'read the data from a file, or - for standard input')
    .option('--id <id>', 'event id; the same id of the same source is one event')
    .option('--type <type>', 'CloudEvents type; default <source>.<name>')
    .option('--severity <severity>', 'low, medium, high or critical')
    .action(async (name: string, options: PublishOptions) => {
      const { subject, event } = compose(name, options);
      const body = new TextEncoder().encode(JSON.stringify(event));
      const ack = await withBus(mesh(), async (bus) => {
        const stored = await bus.publishRaw(subject, body, { msgId: `${options.tenant}:${event.source}:${event.id}` });
        // In the name of any source at once: nobody but the operator of the servers can do that.
        await noteDone(bus, output(), options.tenant, 'events.publish', {
          source: event.source,
          type: event.type,
          id: event.id.slice(0, 256),
          seq: stored.seq,
        });
        return stored;
      });
      output().result({ subject, id: event.id, ...ack }, `${ack.duplicate ? 'known already' : 'stored'}: ${subject} (${event.id}) as ${ack.stream} ${ack.seq}`);
    });

  events
    .command('tail')
    .description('print messages as they pass; Ctrl-C ends it')
    .option('--tenant <tenant>', 'only this tenant', '*')
    .option('--kind <kind>', `one of ${SUBJECT_KINDS.join(', ')}`, 'evt')
    .option('--domain <domain>', 'only this domain or source', '*')
    .option('--count <n>', 'stop after so many', Number)
    .option('--for <seconds>', 'stop after so long', Number)
    .action(async (options: { tenant: string; kind: string; domain: string; count?: number; for?: number }) => {
      if (options.tenant !== '*' && options.tenant !== '_' && !isTenantId(options.tenant))
        throw new CommandFailure(`${JSON.stringify(options.tenant)} is not a tenant id.`, EXIT.usage, undefined, 'USAGE');
      const pattern = `plexus.${kindOf(options.kind)}.${options.tenant}.${options.domain}.>`;
      await withBus(mesh(), async (bus) => {
        const subscription = bus.connection.subscribe(pattern);
        const stop = (): void => subscription.unsubscribe();
        process.once('SIGINT', stop).once('SIGTERM', stop);
        const limit = options.for === undefined ? undefined : setTimeout(stop, options.for * 1_000);
        output().note(`watching ${pattern}`);
        let seen = 0;
        for await (const message of subscription) {
          const body = message.string();
          output().item({ subject: message.subject, body }, line(message.subject, body));
          seen += 1;
          if (options.count !== undefined && seen >= options.count) break;
        }
        clearTimeout(limit);
      });
    });
}
