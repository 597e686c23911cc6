import type { Contract, RpcContract } from '../define.js';
import { CONTRACTS } from '../registry.js';
import { type JsonSchema, payloadSchema, wireSchema } from './json-schema.js';

/** Kinds that Plexus receives; it sends the others. */
const RECEIVED = new Set(['in', 'cmd', 'rpc']);

const idOf = (contract: Contract): string => `${contract.kind}_${contract.domain}_${contract.name}_v${contract.version}`.replaceAll('-', '_');

function address(contract: Contract): string {
  const keys = contract.key.map((key) => `{${key}}`);
  return ['plexus', contract.kind, '{tenant}', contract.domain, contract.name, `v${contract.version}`, ...keys].join('.');
}

function channel(contract: Contract): JsonSchema {
  const parameters: JsonSchema = { tenant: { description: 'Tenant id, `[a-z0-9][a-z0-9_-]{0,63}`.' } };
  for (const key of contract.key) parameters[key] = { description: `Encoded ${key}.` };
  return {
    address: address(contract),
    description: contract.summary,
    parameters,
    messages: { [idOf(contract)]: { $ref: `#/components/messages/${idOf(contract)}` } },
  };
}

function operation(contract: Contract): JsonSchema {
  const id = idOf(contract);
  const base: JsonSchema = {
    action: RECEIVED.has(contract.kind) ? 'receive' : 'send',
    channel: { $ref: `#/channels/${id}` },
    summary: contract.summary,
    messages: [{ $ref: `#/channels/${id}/messages/${id}` }],
  };
  if (contract.kind !== 'rpc') return base;
  return {
    ...base,
    reply: {
      address: { location: '$message.header#/reply', description: 'The NATS reply subject of the request.' },
      channel: { $ref: `#/channels/${id}_reply` },
      messages: [{ $ref: `#/channels/${id}_reply/messages/${id}_reply` }],
    },
  };
}

/** The AsyncAPI 3 document of every contract. */
export function asyncApiDocument(): JsonSchema {
  const channels: JsonSchema = {};
  const operations: JsonSchema = {};
  const messages: JsonSchema = {};
  for (const contract of CONTRACTS) {
    const id = idOf(contract);
    const stored = contract.kind !== 'rpc' && contract.kind !== 'rt';
    channels[id] = channel(contract);
    operations[id] = operation(contract);
    messages[id] = {
      name: contract.type,
      title: `${contract.domain}.${contract.name}`,
      summary: contract.summary,
      contentType: stored ? 'application/cloudevents+json' : 'application/json',
      payload: wireSchema(contract),
    };
    if (contract.kind === 'rpc') {
      const reply = (contract as RpcContract).response;
      channels[`${id}_reply`] = { address: null, messages: { [`${id}_reply`]: { $ref: `#/components/messages/${id}_reply` } } };
      messages[`${id}_reply`] = { name: `${contract.type}.reply`, contentType: 'application/json', payload: payloadSchema(reply, 'input') };
    }
  }
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Plexus',
      version: '0.1.0',
      description: 'Events, commands and questions of the Plexus mesh over NATS. Stored messages are CloudEvents 1.0 in structured JSON mode.',
      license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
    },
    defaultContentType: 'application/json',
    servers: { nats: { host: 'localhost:4222', protocol: 'nats', description: 'Your NATS server or cluster.' } },
    channels,
    operations,
    components: { messages },
  };
}
