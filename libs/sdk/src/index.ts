export type { BusCredentials as Credentials, BusLog as ConnectionLog, Consumption } from '@plexus/bus';
export type { CloudEventOf, DataOf, EventContract, InboundContract, InputOf, ResponseOf, RpcContract, Severity } from '@plexus/contracts';
export { PlexusError } from '@plexus/kernel';
export { EventSubscription, type ReceivedEvent, type SubscriptionOptions } from './event-subscription.js';
export type { ConnectOptions, TokenSource } from './options.js';
export type { OutgoingEvent } from './outgoing-event.js';
export { type CallOptions, type ConsumeOptions, connectPlexus, Plexus, type Stored, type StoredEvent } from './plexus.js';
