import { Redactor } from './redactor.js';

describe('what a bridge says', () => {
  it('is shown without the keys that it was given', () => {
    const redactor = new Redactor();
    redactor.learn('my-own-key-7311');
    redactor.learn('short');
    expect(redactor.clean('401 for my-own-key-7311, a short one')).toBe('401 for [secret], a short one');
  });

  it.each(['Authorization: Bearer abcdef123456', 'api_key=abcdef123456', '{"apiKey":"abcdef123456"}', 'key sk-abcdef123456', 'token: abcdef123456'])(
    'is shown without what looks like a key: %s',
    (text) => expect(new Redactor().clean(text)).not.toContain('abcdef123456'),
  );
});
