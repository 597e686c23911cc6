import type { Msg, Subscription } from '@nats-io/transport-node';
import { ulid } from '@plexus/kernel';
import type { Discovery, DiscoveryInfo } from './bus.js';
import { toJsonBytes } from './json-body.js';
import type { Link } from './link.js';
import { isInbox } from './reply-subject.js';
import type { ServingStats } from './rpc.js';

const TYPE = 'io.nats.micro.v1';

/** Answers `$SRV.PING|INFO|STATS` (ADR-32) so that `nats micro ls` and its like find every replica and what it serves. */
export function answerDiscovery(link: Link, info: DiscoveryInfo, stats: () => readonly ServingStats[]): Discovery {
  const identity = { name: link.service, id: ulid(), version: info.version, metadata: info.metadata ?? {} };
  const started = new Date().toISOString();
  const queueGroup = link.service;
  const answers: Readonly<Record<string, () => object>> = {
    PING: () => ({ type: `${TYPE}.ping_response`, ...identity }),
    INFO: () => ({
      type: `${TYPE}.info_response`,
      ...identity,
      description: info.description ?? '',
      endpoints: stats().map(({ name, subject }) => ({ name, subject, queue_group: queueGroup, metadata: {} })),
    }),
    STATS: () => ({
      type: `${TYPE}.stats_response`,
      ...identity,
      started,
      ...(info.data === undefined ? {} : { data: info.data() }),
      endpoints: stats().map((endpoint) => ({
        name: endpoint.name,
        subject: endpoint.subject,
        queue_group: queueGroup,
        num_requests: endpoint.requests,
        num_errors: endpoint.errors,
        last_error: endpoint.lastError,
        processing_time: endpoint.processingTimeNs,
        average_processing_time: endpoint.requests === 0 ? 0 : Math.round(endpoint.processingTimeNs / endpoint.requests),
      })),
    }),
  };
  const subscriptions: Subscription[] = [];
  for (const [verb, answer] of Object.entries(answers)) {
    const callback = (error: Error | null, message: Msg): void => {
      if (error) link.log.warn({ err: error, verb }, 'discovery is not permitted');
      else if (isInbox(message.reply) && !link.connection.isClosed()) link.connection.publish(message.reply, toJsonBytes(answer()));
    };
    for (const scope of ['', `.${identity.name}`, `.${identity.name}.${identity.id}`]) {
      subscriptions.push(link.connection.subscribe(`$SRV.${verb}${scope}`, { callback }));
    }
  }
  return {
    stop: () => {
      for (const subscription of subscriptions) if (!link.connection.isClosed()) subscription.unsubscribe();
    },
  };
}
