import { isStopCommand, stopAnswer } from './stop-command.js';

describe('the message that ends a run', () => {
  it.each([
    '/stop',
    ' /Stop\n',
    '/stop@plexus_bot',
    '@plexus_bot /stop',
    '<@U0BOT> /stop',
    '<@U0BOT>: /stop',
    '@plexus_bot: /stop',
    '@plexus:example.org, <@U0BOT> /stop',
  ])('is %j', (text) => {
    expect(isStopCommand(text)).toBe(true);
  });

  it.each(['stop', '/stop it', '/stopwatch', 'please /stop', '/stop@', '', '//stop', 'mail me@example.org /stop'])('is not %j', (text) => {
    expect(isStopCommand(text)).toBe(false);
  });

  it('is looked for in no time, whatever a message is made of', () => {
    const began = performance.now();
    for (const part of ['@a: ', '<@a>: ', '@a,\n', '@', '@a ', '@a  :']) expect(isStopCommand(`${part.repeat(30_000)}x`)).toBe(false);
    expect(performance.now() - began).toBeLessThan(30_000);
  });

  it('is answered with what it did', () => {
    expect(
      [
        { running: 0, waiting: 0 },
        { running: 1, waiting: 0 },
        { running: 1, waiting: 1 },
        { running: 0, waiting: 2 },
      ].map(stopAnswer),
    ).toEqual(['Nothing is running here.', 'Stopped.', 'Stopped. One message that waited was dropped.', '2 messages that waited were dropped.']);
  });
});
