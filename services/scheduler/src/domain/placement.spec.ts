import { describe, expect, it } from '@jest/globals';
import { type HostView, type PlacementRequest, place } from './placement.js';

const host = (id: string, rest: Partial<HostView> = {}): HostView => ({
  id,
  provider: 'local',
  state: 'up',
  capacity: undefined,
  cores: 2,
  used: 0,
  reserved: 0,
  starting: 0,
  isolation: 0,
  labels: {},
  portable: false,
  ...rest,
});
const request = (rest: Partial<PlacementRequest> = {}): PlacementRequest => ({
  provider: 'local',
  isolationMin: 0,
  labels: {},
  home: undefined,
  allowEmptyWorkspace: false,
  excluded: [],
  strategy: 'spread',
  ...rest,
});
const first = (): number => 0;

describe('place', () => {
  it('spreads, or packs, among the hosts that suit', () => {
    const hosts = [host('a', { reserved: 5 }), host('b', { reserved: 1 }), host('c', { provider: 'kubernetes' })];
    expect(place(request(), hosts, first)).toEqual({ kind: 'host', hostId: 'b' });
    expect(place(request({ strategy: 'pack' }), hosts, first)).toEqual({ kind: 'host', hostId: 'a' });
  });

  it('goes where the workspace is, even when others are emptier', () => {
    expect(place(request({ home: 'a' }), [host('a', { reserved: 50, capacity: 10 }), host('b')], first)).toEqual({ kind: 'host', hostId: 'a' });
  });

  it.each([
    ['lost', 'WORKSPACE_HOST_DOWN'],
    ['draining', 'HOST_DRAINING'],
  ] as const)('waits while the host of the workspace is %s, unless an empty workspace will do', (state, code) => {
    const hosts = [host('a', { state }), host('b')];
    expect(place(request({ home: 'a' }), hosts, first)).toMatchObject({ kind: 'nowhere', code });
    expect(place(request({ home: 'a', allowEmptyWorkspace: true }), hosts, first)).toEqual({ kind: 'host', hostId: 'b' });
    expect(place(request({ home: 'a' }), [host('a', { state, portable: true }), host('b')], first)).toEqual({ kind: 'host', hostId: 'b' });
  });

  it('waits for a host that nobody has ever heard of', () => {
    expect(place(request({ home: 'x' }), [host('a')], first)).toMatchObject({ code: 'WORKSPACE_HOST_DOWN' });
  });

  it('leaves out hosts that are draining, full, busy, weaker than asked for or labelled otherwise, and says what is missing', () => {
    expect(place(request(), [host('a', { state: 'draining' })], first)).toMatchObject({ code: 'NO_HOST' });
    expect(place(request(), [host('a', { capacity: 2, reserved: 2 })], first)).toMatchObject({ code: 'NO_CAPACITY' });
    expect(place(request(), [host('a', { starting: 3 })], first)).toMatchObject({ code: 'HOST_BUSY' });
    expect(place(request({ isolationMin: 2 }), [host('a')], first)).toMatchObject({ code: 'NO_HOST' });
    expect(place(request({ labels: { zone: 'x' } }), [host('a', { labels: { zone: 'y' } })], first)).toMatchObject({ code: 'NO_HOST' });
  });

  it('tries a host that has failed last, and not never', () => {
    expect(place(request({ excluded: ['a'] }), [host('a'), host('b', { reserved: 9 })], first)).toEqual({ kind: 'host', hostId: 'b' });
    expect(place(request({ excluded: ['a'] }), [host('a')], first)).toEqual({ kind: 'host', hostId: 'a' });
    expect(place(request(), [host('a', { state: 'cordoned' })], first)).toEqual({ kind: 'host', hostId: 'a' });
    expect(place(request(), [host('a', { state: 'cordoned' }), host('b', { reserved: 9 })], first)).toEqual({ kind: 'host', hostId: 'b' });
  });

  it('keeps the host that was chosen while it suits, and does not count the VM twice there', () => {
    const hosts = [host('a', { reserved: 5, capacity: 5 }), host('b')];
    expect(place(request({ chosen: 'a' }), hosts, first)).toEqual({ kind: 'host', hostId: 'a' });
    expect(place(request(), hosts, first)).toEqual({ kind: 'host', hostId: 'b' });
    expect(place(request({ chosen: 'a' }), [host('a', { state: 'lost' }), host('b')], first)).toEqual({ kind: 'host', hostId: 'b' });
  });

  it('starts no VM at home when its home does not offer what its template wants, and elsewhere only with an empty workspace', () => {
    const hosts = [host('a'), host('b', { isolation: 2, labels: { zone: 'x' } })];
    expect(place(request({ home: 'a', isolationMin: 2 }), hosts, first)).toMatchObject({ kind: 'nowhere', code: 'HOST_UNSUITABLE' });
    expect(place(request({ home: 'a', labels: { zone: 'x' } }), hosts, first)).toMatchObject({ kind: 'nowhere', code: 'HOST_UNSUITABLE' });
    expect(place(request({ home: 'a', isolationMin: 2, allowEmptyWorkspace: true }), hosts, first)).toEqual({ kind: 'host', hostId: 'b' });
  });

  it('does not go back at once to a host that has just said it is full', () => {
    expect(place(request({ excluded: ['a'], lacksRoom: true }), [host('a')], first)).toMatchObject({ kind: 'nowhere', code: 'NO_CAPACITY' });
    expect(place(request({ home: 'a', excluded: ['a'], lacksRoom: true }), [host('a')], first)).toMatchObject({ kind: 'nowhere', code: 'NO_CAPACITY' });
    expect(place(request({ excluded: ['a'], lacksRoom: true }), [host('a'), host('b')], first)).toEqual({ kind: 'host', hostId: 'b' });
    expect(place(request({ excluded: ['a'] }), [host('a')], first)).toEqual({ kind: 'host', hostId: 'a' });
  });
});
