import type { IconName } from '../ui/icons.js';

export interface Place {
  readonly path: string;
  /** Key of its name under `nav`. */
  readonly name:
    | 'mesh'
    | 'sessions'
    | 'events'
    | 'inbox'
    | 'subscriptions'
    | 'explain'
    | 'policies'
    | 'publish'
    | 'reach'
    | 'automation'
    | 'memory'
    | 'vms'
    | 'routing'
    | 'dead'
    | 'config';
  readonly icon: IconName;
}

export interface PlaceGroup {
  readonly name: 'now' | 'talk' | 'push' | 'know' | 'operate';
  readonly places: readonly Place[];
}

/** Every page, in the order of the menu. */
export const PLACES: readonly PlaceGroup[] = [
  { name: 'now', places: [{ path: '/', name: 'mesh', icon: 'mesh' }] },
  {
    name: 'talk',
    places: [
      { path: '/sessions', name: 'sessions', icon: 'chat' },
      { path: '/events', name: 'events', icon: 'events' },
    ],
  },
  {
    name: 'push',
    places: [
      { path: '/inbox', name: 'inbox', icon: 'inbox' },
      { path: '/subscriptions', name: 'subscriptions', icon: 'bell' },
      { path: '/explain', name: 'explain', icon: 'why' },
      { path: '/reach', name: 'reach', icon: 'quiet' },
      { path: '/automation', name: 'automation', icon: 'clock' },
      { path: '/policies', name: 'policies', icon: 'policy' },
      { path: '/publish', name: 'publish', icon: 'publish' },
    ],
  },
  { name: 'know', places: [{ path: '/memory', name: 'memory', icon: 'memory' }] },
  {
    name: 'operate',
    places: [
      { path: '/vms', name: 'vms', icon: 'vm' },
      { path: '/routing', name: 'routing', icon: 'route' },
      { path: '/dead-letters', name: 'dead', icon: 'dead' },
      { path: '/config', name: 'config', icon: 'settings' },
    ],
  },
];

export const ALL_PLACES: readonly Place[] = PLACES.flatMap(({ places }) => places);
