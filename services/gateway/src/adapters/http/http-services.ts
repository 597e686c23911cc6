import type { Bus } from '@plexus/bus';
import type { Act } from '@plexus/service-kit';
import type { Authenticator } from '../../application/authenticator.js';
import type { KeptAnswers } from '../../application/kept-answers.js';
import type { MeshMap } from '../../application/mesh-map.js';
import type { MethodServices } from '../../application/methods/method-context.js';
import type { SessionArchive } from '../../application/ports.js';
import type { Tickets } from '../../application/tickets.js';
import type { Watchers } from '../../application/watch/watchers.js';
import type { Credential } from '../../domain/caller.js';
import type { BearerCheck } from './bearer-check.js';
import type { EventStreams } from './event-streams.js';

/** Injection token of {@link HttpServices}. */
export const HTTP_SERVICES = Symbol.for('plexus.gateway.http-services');

/** What the controllers work with. */
export interface HttpServices extends MethodServices {
  readonly authenticator: Authenticator;
  readonly bearer: BearerCheck;
  readonly archive: SessionArchive;
  readonly epochOf: (vmId: string) => number;
  readonly bus: Pick<Bus, 'publishRaw' | 'kv'>;
  /** Writes down what nobody else does: acts that end in this service. Never rejects. */
  readonly audit: (act: Act) => Promise<void>;
  readonly keptAnswers: KeptAnswers;
  readonly tickets: Tickets;
  readonly streams: EventStreams;
  readonly watchers: Watchers;
  /** The live map of the mesh. */
  readonly meshMap: Pick<MeshMap, 'view'>;
  /** Whether somebody may see what concerns every tenant: with the token of the deployment, or as one of its only tenant. */
  readonly seesDeployment: (credential: Credential) => boolean;
}
