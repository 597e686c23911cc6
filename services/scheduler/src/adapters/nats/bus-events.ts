import type { Bus, EncodedEvent } from '@plexus/bus';
import { memoryContracts, sessionContracts, vmContracts } from '@plexus/contracts';
import type { Events, StoredEvent } from '../../application/events.js';
import type { OwnerKey, RunAddress } from '../../application/ports.js';
import { type RunEnding, runEndEvent } from '../../domain/run-ending.js';
import type { Move } from '../../domain/vm.js';

/** Events as the bus encodes them, for the outbox. */
export class BusEvents implements Events {
  constructor(private readonly bus: Pick<Bus, 'encodeEvent'>) {}

  stateChanged(vm: { readonly id: string; readonly owner: OwnerKey; readonly epoch: number }, move: Move, version: number): StoredEvent {
    const id = `${vm.id}:${version}`;
    const data = { vmId: vm.id, owner: vm.owner.subject, scopeKey: vm.owner.scope, from: move.from, to: move.to, epoch: vm.epoch, cause: move.cause };
    return stored(this.bus.encodeEvent(vmContracts.vmStateChanged, { tenant: vm.owner.tenant, key: [vm.id], data, id, msgId: id }), id);
  }

  runEnded(run: RunAddress, ending: RunEnding): StoredEvent {
    const { sessionId, sessionKey, owner, agentId, runId } = run;
    const id = `${sessionId}:${runId}:end`;
    const data = { sessionId, sessionKey, owner, agentId, runId, event: runEndEvent(ending) };
    return stored(this.bus.encodeEvent(sessionContracts.sessionEvent, { tenant: run.tenant, key: [sessionId], data, id }), id);
  }

  memoryWrite(write: Parameters<Events['memoryWrite']>[0]): StoredEvent {
    const { tenant, user, content, kind, importance, metadata, id } = write;
    const data = {
      user,
      content,
      kind,
      idempotencyKey: id,
      ...(importance === undefined ? {} : { importance }),
      ...(metadata === undefined ? {} : { metadata }),
    };
    return stored(this.bus.encodeEvent(memoryContracts.writeMemoryCommand, { tenant, key: [`user:${user}`], data, id }), id);
  }
}

function stored(event: EncodedEvent, fallbackId: string): StoredEvent {
  return { subject: event.subject, msgId: event.msgId ?? fallbackId, headers: event.headers, body: event.body };
}
