/**
 * Start-up values by name. What is missing or wrong is noted, so that all of it can be said at once, and a harmless value stands in for it; nothing
 * is ever quoted, because values may be secrets. Checked by hand and not by schemas: those take longer to load than everything else before the connection.
 */
export class Settings {
  constructor(
    private readonly values: Readonly<Record<string, unknown>>,
    /** Stands before each name. */
    private readonly where: string,
    private readonly problems: string[],
  ) {}

  /** Notes that a value is wrong. */
  refuse(name: string, problem: string): void {
    this.problems.push(`${this.where}${name}: ${problem}`);
  }

  text(name: string, maxLength: number): string {
    const text = this.optionalText(name, maxLength);
    if (text === undefined && this.values[name] === undefined) this.refuse(name, 'missing');
    else if (text === '') this.refuse(name, 'empty');
    return text ?? '';
  }

  optionalText(name: string, maxLength: number): string | undefined {
    const value = this.values[name];
    if (value === undefined) return undefined;
    if (typeof value !== 'string') this.refuse(name, 'expected a text');
    else if (value.length > maxLength) this.refuse(name, `longer than ${maxLength} characters`);
    else return value;
    return undefined;
  }

  positiveInteger(name: string): number {
    const number = Number(this.text(name, 32));
    if (Number.isSafeInteger(number) && number >= 1) return number;
    if (this.values[name] !== undefined) this.refuse(name, 'expected a whole number from 1');
    return 1;
  }

  /** From 0. */
  optionalInteger(name: string): number | undefined {
    const text = this.optionalText(name, 32);
    if (text === undefined) return undefined;
    const number = Number(text);
    if (text.trim() !== '' && Number.isSafeInteger(number) && number >= 0) return number;
    this.refuse(name, 'expected a whole number from 0');
    return undefined;
  }

  /** The first of the choices unless set. */
  choice<const T extends string>(name: string, choices: readonly [T, ...T[]]): T {
    const value = this.values[name];
    const chosen = choices.find((one) => one === (value ?? choices[0]));
    if (chosen === undefined) this.refuse(name, `expected one of ${choices.join(', ')}`);
    return chosen ?? choices[0];
  }

  url(name: string, protocols: readonly string[]): string {
    const text = this.text(name, 8_192);
    const url = URL.parse(text);
    if (text !== '' && (url === null || !protocols.includes(url.protocol))) this.refuse(name, `expected an address with ${protocols.join(' or ')}`);
    return text;
  }
}
