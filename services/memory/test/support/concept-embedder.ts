import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Words of one meaning. A test double: it proves wiring, with known truth, and nothing about the quality of any model. */
const CONCEPTS = [
  ['database', '数据库', 'postgres', 'storage'],
  ['backup', '备份', 'snapshot'],
  ['weather', '天气', 'rain'],
  ['router', '路由器', 'wifi'],
  ['coffee', '咖啡', 'espresso'],
  ['holiday', '假期', 'vacation'],
];

export type ConceptMode = 'ok' | 'down' | 'hang' | 'drifted';

/** `POST /v1/embeddings` that knows a few concepts. */
export class ConceptEmbedder {
  mode: ConceptMode = 'ok';
  /** Texts with this in them are refused with 400. */
  poison = '\uffff';
  readonly batches: string[][] = [];
  private constructor(
    readonly baseUrl: string,
    private readonly close: () => Promise<void>,
  ) {}

  static async start(dimensions = 16): Promise<ConceptEmbedder> {
    const held = new Set<ServerResponse>();
    const server = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => {
        body += chunk.toString();
      });
      request.on('end', () => {
        const { input } = JSON.parse(body) as { input: string[] };
        embedder.batches.push(input);
        if (embedder.mode === 'hang') return void held.add(response);
        if (embedder.mode === 'down') return void response.writeHead(503).end('busy');
        if (input.some((text) => text.includes(embedder.poison))) return void response.writeHead(400).end('bad input');
        const data = input.map((text, index) => ({ index, embedding: vectorOf(text, dimensions, embedder.mode === 'drifted') }));
        response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ data }));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const embedder: ConceptEmbedder = new ConceptEmbedder(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, async () => {
      for (const response of held) response.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });
    return embedder;
  }

  /** Texts that were embedded so far, canaries included. */
  get texts(): string[] {
    return this.batches.flat();
  }

  stop(): Promise<void> {
    return this.close();
  }
}

function vectorOf(text: string, dimensions: number, drifted: boolean): number[] {
  const lowered = text.toLowerCase();
  const vector = CONCEPTS.map((words) => (words.some((word) => lowered.includes(word)) ? 1 : 0) as number);
  // What all texts have in common, and a little of their own.
  const own = [...lowered].reduce((sum, character) => (sum * 31 + (character.codePointAt(0) ?? 0)) % 997, 7);
  const rest = Array.from({ length: dimensions - CONCEPTS.length }, (_, index) => (index === (drifted ? 1 : 0) ? 0.3 : index === 2 + (own % 5) ? 0.2 : 0));
  return [...vector, ...rest];
}
