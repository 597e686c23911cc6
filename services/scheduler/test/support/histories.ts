import fc from 'fast-check';
import { FAULTS, OWNERS, REPLICAS, World } from './world.js';

const owner = fc.integer({ min: 0, max: OWNERS - 1 });
const replica = fc.integer({ min: 0, max: REPLICAS - 1 });
const index = fc.nat({ max: 5 });
const faults = fc.constantFrom('none' as const, 'none' as const, 'none' as const, ...FAULTS);
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('ensure' as const), owner }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('want' as const), owner, wish: fc.constantFrom('terminate', 'pause', 'resume', 'drain', 'undrain') }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('startRun' as const), owner }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('finish' as const), index }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('addToPool' as const) }) },
  { weight: 16, arbitrary: fc.record({ kind: fc.constant('turn' as const), replica, fault: faults }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('crashReplica' as const), replica }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('attach' as const), index }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('die' as const), index, watched: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('hang' as const), index }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('unreachable' as const), is: fc.boolean() }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(200, 1_000, 5_000, 11_000, 31_000, 61_000, 121_000, 1_900_000) }),
  },
);
export type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

/** Commands of people, work of replicas and faults of everything, in any order. */
export const histories = fc.array(step, { minLength: 10, maxLength: 140, size: 'max' });

/** Plays a history and checks every invariant after every step. */
export function play(history: readonly Step[]): World {
  const world = new World();
  for (const event of history) {
    if (event.kind === 'ensure') world.ensure(event.owner);
    else if (event.kind === 'want') world.want(event.owner, event.wish as Parameters<World['want']>[1]);
    else if (event.kind === 'startRun') world.startRun(event.owner);
    else if (event.kind === 'finish') world.finish(event.index);
    else if (event.kind === 'addToPool') world.addToPool();
    else if (event.kind === 'turn') world.turn(event.replica, event.fault);
    else if (event.kind === 'crashReplica') world.pending[event.replica] = undefined;
    else if (event.kind === 'attach') world.attach(event.index);
    else if (event.kind === 'die') world.die(event.index, event.watched);
    else if (event.kind === 'hang') world.hang(event.index);
    else if (event.kind === 'unreachable') world.unreachable = event.is;
    else world.now += event.ms;
    world.check();
  }
  return world;
}
