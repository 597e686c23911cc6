import { type Caller, mayDelete, maySee, type Place, placeFor, type Scope, viewOf } from './access.js';

const me: Caller = { tenant: 'acme', user: 'me', privileged: false, credential: 'c1' };
const admin: Caller = { ...me, user: 'boss', privileged: true };
const service: Caller = { tenant: 'acme', privileged: true, credential: 'c2' };
const user = (id: string): Scope => ({ kind: 'user', id });
const session: Scope = { kind: 'session', id: 'agent:main:main' };
const agent: Scope = { kind: 'agent', id: 'main' };

describe('who may use which scope', () => {
  it('a user scope is its user’s own, unless somebody privileged asks', () => {
    expect(placeFor(me, user('me'))).toEqual({ kind: 'user', id: 'me', owner: '' });
    expect(placeFor(me, user('you'))).toBe('not-yours');
    expect(viewOf(me, user('you'))).toBe('not-yours');
    for (const privileged of [admin, service]) expect(viewOf(privileged, user('you'))).toEqual({ kind: 'user', id: 'you' });
  });

  it('two users’ sessions of the same key are two places', () => {
    expect(placeFor(me, session)).toMatchObject({ owner: 'me' });
    expect(placeFor({ ...me, user: 'you' }, session)).toMatchObject({ owner: 'you' });
    expect(viewOf(me, session)).toMatchObject({ owner: 'me' });
    expect(maySee({ ...me, user: 'you' }, placeFor(me, session) as Place)).toBe(false);
    expect(maySee(admin, placeFor(me, session) as Place)).toBe(true);
    expect(placeFor(service, session)).toBe('no-user');
  });

  it('what belongs to an agent or to all is read by everybody and deleted by its author or somebody privileged', () => {
    const place = placeFor(me, agent) as Place;
    const you = { ...me, user: 'you' };
    expect(maySee(you, place)).toBe(true);
    expect([mayDelete(me, place, 'me'), mayDelete(you, place, 'me'), mayDelete(admin, place, 'me'), mayDelete(service, place, 'me')]).toEqual([
      true,
      false,
      true,
      true,
    ]);
    expect(mayDelete(me, placeFor(me, user('me')) as Place, undefined)).toBe(true);
    expect(mayDelete(you, placeFor(me, user('me')) as Place, 'you')).toBe(false);
  });
});
