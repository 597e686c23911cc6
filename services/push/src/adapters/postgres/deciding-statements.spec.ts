import { refusalOf } from './deciding-statements.js';

const refusal = (message: string) => refusalOf(Object.assign(new Error(message), { code: '22P02' }));

describe('why a batch was refused', () => {
  it.each([
    ['invalid input syntax for type integer: "seen"', 'seen'],
    ['ungültige Eingabesyntax für Typ integer: »stale«', 'stale'],
    ['syntaxe en entrée invalide pour le type integer : « lost »', 'lost'],
    ['无效的类型 integer 输入语法: "seen"', 'seen'],
  ])('is understood in the language of the server: %s', (message, why) => {
    expect(refusal(message)).toBe(why);
  });

  it('is nothing that only looks like it', () => {
    expect(refusal('invalid input syntax for type integer: "unseen"')).toBeUndefined();
    expect(refusal('seen by somebody')).toBeUndefined();
    expect(refusalOf(new Error('"seen"'))).toBeUndefined();
  });
});
