import { contractName, HEADERS, type InputOf, plexusError, type ResponseOf, type RpcContract } from '@plexus/contracts';
import { PlexusError } from '@plexus/kernel';
import { telemetryIsRegistered } from '@plexus/telemetry';
import type { BusIdentity } from './bus-options.js';
import { decodeError } from './error-reply.js';
import { countCalled, injectTrace, spanOfCall } from './instrumentation.js';
import { MAX_MESSAGE_BYTES, toJsonBytes } from './json-body.js';
import type { RequestMultiplexer } from './request-multiplexer.js';
import type { CallOptions } from './rpc.js';
import { type SchemaValidator, validatorFor } from './schema-validator.js';
import { headerLine, OutgoingHeaders } from './wire-headers.js';

/** Subjects remembered per contract, so that building and checking one is not paid for by every call. */
const MAX_CACHED_SUBJECTS = 10_000;
const MAX_CACHED_TOKENS = 1_000;

interface PreparedContract {
  readonly name: string;
  readonly request: SchemaValidator;
  readonly response: SchemaValidator;
  readonly subjects: Map<string, string>;
}

/** The asking side of `rpc` contracts. */
export class RpcClient {
  private readonly authLines = new Map<string, string>();
  private readonly prepared = new WeakMap<RpcContract, PreparedContract>();

  constructor(
    private readonly multiplexer: RequestMultiplexer,
    private readonly identity: BusIdentity | undefined,
    private readonly timeoutMs: number | undefined,
  ) {}

  /** See {@link Bus.call}. */
  call<C extends RpcContract>(rpc: C, tenant: string, data: InputOf<C>, options: CallOptions = {}): Promise<ResponseOf<C>> {
    const contract = this.prepare(rpc);
    if (!telemetryIsRegistered()) return this.ask(rpc, contract, tenant, data, options) as Promise<ResponseOf<C>>;
    return observed(contract.name, () => this.ask(rpc, contract, tenant, data, options)) as Promise<ResponseOf<C>>;
  }

  private async ask(rpc: RpcContract, contract: PreparedContract, tenant: string, data: unknown, options: CallOptions): Promise<unknown> {
    const body = toJsonBytes(contract.request.strict(data));
    if (body.length > MAX_MESSAGE_BYTES) throw plexusError('PAYLOAD_TOO_LARGE', { details: { bytes: body.length, maxBytes: MAX_MESSAGE_BYTES } });
    const timeoutMs = options.timeoutMs ?? this.timeoutMs ?? rpc.timeoutMs;
    const subject = subjectFor(rpc, contract, tenant);
    const token = options.token ?? (options.principal && (await this.identity?.mint(options.principal)));
    const headers = new OutgoingHeaders().setTrusted(HEADERS.deadline, String(Date.now() + timeoutMs));
    if (token !== undefined) headers.appendLine(this.authLine(token));
    injectTrace(headers);
    const answer = await this.multiplexer.request(subject, body, { headers: headers.toNats(), timeoutMs, signal: options.signal });
    const error = decodeError(answer);
    if (error) throw error;
    try {
      return contract.response.parse(answer.data);
    } catch (cause) {
      throw plexusError('INTERNAL', { message: 'The answer does not fit its contract.', details: { contract: contract.name }, cause });
    }
  }

  /** Identities hand out the same token for a while: it is checked and formatted once. */
  private authLine(token: string): string {
    let line = this.authLines.get(token);
    if (line === undefined) {
      line = headerLine(HEADERS.auth, token);
      if (this.authLines.size >= MAX_CACHED_TOKENS) this.authLines.clear();
      this.authLines.set(token, line);
    }
    return line;
  }

  private prepare(rpc: RpcContract): PreparedContract {
    let contract = this.prepared.get(rpc);
    if (contract === undefined) {
      contract = { name: contractName(rpc), request: validatorFor(rpc.data), response: validatorFor(rpc.response), subjects: new Map() };
      this.prepared.set(rpc, contract);
    }
    return contract;
  }
}

async function observed<T>(contract: string, ask: () => Promise<T>): Promise<T> {
  const startedAt = performance.now();
  try {
    const response = await spanOfCall(contract, ask);
    countCalled(contract, undefined, performance.now() - startedAt);
    return response;
  } catch (error) {
    countCalled(contract, PlexusError.isPlexusError(error) ? error.code : 'INTERNAL', performance.now() - startedAt);
    throw error;
  }
}

function subjectFor(rpc: RpcContract, contract: PreparedContract, tenant: string): string {
  let subject = contract.subjects.get(tenant);
  if (subject === undefined) {
    subject = buildSubject(rpc, tenant);
    if (contract.subjects.size >= MAX_CACHED_SUBJECTS) contract.subjects.clear();
    contract.subjects.set(tenant, subject);
  }
  return subject;
}

function buildSubject(rpc: RpcContract, tenant: string): string {
  try {
    return rpc.subject(tenant);
  } catch (cause) {
    throw plexusError('INVALID_REQUEST', { message: 'The tenant is not a tenant id.', details: { tenant }, cause });
  }
}
