import { permissionsFor, ROLES } from '@plexus/contracts';
import { EVENT_STREAMS } from './stored-events.js';

describe('events in the streams', () => {
  it.each(EVENT_STREAMS)('may be read one by one by the role of push: %s', (stream) => {
    const role = ROLES.find(({ name }) => name === 'push');
    expect(role && permissionsFor(role).publish.allow).toContain(`$JS.API.STREAM.MSG.GET.${stream}`);
  });
});
