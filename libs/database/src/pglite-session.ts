import { type PGlite, parse, protocol } from '@electric-sql/pglite';
import type { Row, Statement } from './database.js';

/** More are in use nowhere; the least recently used is closed. */
const MAX_PREPARED = 256;

type Message = Awaited<ReturnType<PGlite['execProtocolStream']>>[number];

interface Prepared {
  readonly id: string;
  readonly parameterTypes: readonly number[];
  readonly description: Message | undefined;
}

const { serialize } = protocol;

/**
 * The one session of a PGlite, spoken to by its protocol: statements are parsed once and kept, and several go in one call. PGlite's own `query`
 * parses every statement anew, in six calls. Whoever uses this must hold PGlite's lock of transactions.
 */
export class PgliteSession {
  readonly #lite: PGlite;
  readonly #prepared = new Map<string, Prepared>();
  #counter = 0;

  constructor(lite: PGlite) {
    this.#lite = lite;
  }

  async query<R = Row>(text: string, params: readonly unknown[]): Promise<R[]> {
    const prepared = await this.#prepare(text);
    const messages = await this.#send([this.#execution(prepared, params)]);
    return rowsOf(prepared, messages, this.#lite) as R[];
  }

  /** A transaction that is sent as a whole. */
  async batch(statements: readonly Statement[], begin: string): Promise<Row[][]> {
    const prepared: Prepared[] = [];
    for (const { text } of statements) prepared.push(await this.#prepare(text));
    const messages = await this.#send([
      serialize.query(begin),
      ...statements.map(({ params }, index) => this.#execution(prepared[index] as Prepared, params ?? [])),
      serialize.query('COMMIT'),
    ]);
    // The answers of each statement end with its own "ready"; the first are those of the beginning.
    const answers: Message[][] = [[]];
    for (const message of messages) {
      if (message.name === 'readyForQuery') answers.push([]);
      else answers.at(-1)?.push(message);
    }
    return prepared.map((one, index) => rowsOf(one, answers[index + 1] ?? [], this.#lite));
  }

  /** Several statements without parameters. Tables may be others afterwards, and with them the answers of what was prepared. */
  async script(sql: string): Promise<void> {
    try {
      await this.#send([serialize.query(sql)]);
    } finally {
      await this.forget();
    }
  }

  /** `BEGIN`, `COMMIT` or `ROLLBACK`. */
  async control(statement: string): Promise<void> {
    await this.#send([serialize.query(statement)]);
  }

  async forget(): Promise<void> {
    const ids = [...this.#prepared.values()].map(({ id }) => id);
    this.#prepared.clear();
    if (ids.length > 0) await this.#send([...ids.map((name) => serialize.close({ type: 'S', name })), serialize.sync()]);
  }

  async #prepare(text: string): Promise<Prepared> {
    const known = this.#prepared.get(text);
    if (known !== undefined) {
      this.#prepared.delete(text);
      this.#prepared.set(text, known);
      return known;
    }
    const id = `plexus_${++this.#counter}`;
    const messages = await this.#send([serialize.parse({ name: id, text }), serialize.describe({ type: 'S', name: id }), serialize.sync()]);
    const prepared = {
      id,
      parameterTypes: parse.parseDescribeStatementResults(messages),
      description: messages.find(({ name }) => name === 'rowDescription'),
    };
    this.#prepared.set(text, prepared);
    const [oldest] = this.#prepared.entries();
    if (this.#prepared.size > MAX_PREPARED && oldest !== undefined) {
      this.#prepared.delete(oldest[0]);
      await this.#send([serialize.close({ type: 'S', name: oldest[1].id }), serialize.sync()]);
    }
    return prepared;
  }

  #execution({ id, parameterTypes }: Prepared, params: readonly unknown[]): Uint8Array {
    const values = params.map((value, index) => {
      if (value === null || value === undefined) return null;
      const serializer = this.#lite.serializers[parameterTypes[index] as number];
      return serializer === undefined ? String(value) : serializer(value);
    });
    return Buffer.concat([serialize.bind({ statement: id, values }), serialize.execute({}), serialize.sync()]);
  }

  /** Sends messages in one call and throws the first error among the answers. */
  async #send(messages: readonly Uint8Array[]): Promise<Message[]> {
    const answers = await this.#lite.execProtocolStream(Buffer.concat(messages), { throwOnError: false, syncToFs: true });
    const failure = answers.find(({ name }) => name === 'error');
    if (failure !== undefined) throw failure;
    return answers;
  }
}

function rowsOf({ description }: Prepared, messages: readonly Message[], lite: PGlite): Row[] {
  const all = description === undefined ? [...messages] : [description, ...messages];
  return (parse.parseResults(all, lite.parsers)[0]?.rows ?? []) as Row[];
}
