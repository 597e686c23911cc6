import type { Log } from '../ports.js';
import type { PluginAnswer, PluginApi, PluginHandler, PluginRequest, RouteOptions } from './plugin-api.js';

/** Paths of the gateway itself; a plugin that wants one is not loaded. */
const OWN_PATHS = /^\/(v1|ws|healthz|livez|readyz)(\/|$)/;
const METHOD = /^[A-Z]{1,16}$/;

interface Entry {
  readonly plugin: string;
  readonly handler: PluginHandler;
}
interface Route extends Entry {
  readonly options: RouteOptions;
}

/** What became of a request: somebody answered it, nobody wanted it, or the plugin that had it failed. */
export type ChainOutcome =
  | { readonly kind: 'answered'; readonly answer: PluginAnswer }
  | { readonly kind: 'unhandled' }
  | { readonly kind: 'failed'; readonly status: 500 | 503 | 504; readonly text: string };

export interface ChainLimits {
  /** Calls of handlers that may be going on at once, counting those that were given up but have not returned. */
  readonly maxRunning: number;
}

const FAILED: ChainOutcome = { kind: 'failed', status: 500, text: 'Internal Server Error' };
const TOO_SLOW: ChainOutcome = { kind: 'failed', status: 504, text: 'Gateway Timeout' };
const BUSY: ChainOutcome = { kind: 'failed', status: 503, text: 'Service Unavailable' };

/** The HTTP handlers of plugins: the registered route first, then the generic handlers in order, until one says that it handled the request. */
export class PluginChain {
  private readonly routes = new Map<string, Route>();
  private readonly handlers: Entry[] = [];
  private running = 0;

  constructor(
    private readonly log: Pick<Log, 'error'>,
    private readonly limits: ChainLimits = { maxRunning: 512 },
  ) {}

  /** How one plugin enters its handlers. Throws a TypeError for what cannot be served. */
  registrar(plugin: string): Pick<PluginApi, 'route' | 'handle'> {
    return {
      route: (method, path, handler, options = {}) => {
        const name = routeName(method, path);
        if (typeof handler !== 'function') throw new TypeError(`the handler of ${name} is no function`);
        const other = this.routes.get(name);
        if (other !== undefined) throw new TypeError(`${name} is taken by plugin ${other.plugin}`);
        this.routes.set(name, { plugin, handler, options });
      },
      handle: (handler) => {
        if (typeof handler !== 'function') throw new TypeError('a generic handler is no function');
        this.handlers.push({ plugin, handler });
      },
    };
  }

  /** The registered route of a request; HEAD is asked of GET's. */
  routeOf(method: string, path: string): { readonly options: RouteOptions } | undefined {
    return this.routes.get(`${method} ${path}`) ?? (method === 'HEAD' ? this.routes.get(`GET ${path}`) : undefined);
  }

  /** Whether anybody would be asked about it. */
  wants(method: string, path: string): boolean {
    return this.handlers.length > 0 || this.routeOf(method, path) !== undefined;
  }

  /** Asks one after the other. Never rejects; the request's signal ends it. */
  async run(request: PluginRequest): Promise<ChainOutcome> {
    const route = this.routeOf(request.method, request.path) as Route | undefined;
    for (const entry of route === undefined ? this.handlers : [route, ...this.handlers]) {
      const outcome = await this.ask(entry, request);
      if (outcome.kind !== 'unhandled') return outcome;
    }
    return { kind: 'unhandled' };
  }

  private async ask({ plugin, handler }: Entry, request: PluginRequest): Promise<ChainOutcome> {
    if (request.signal.aborted) return TOO_SLOW;
    if (this.running >= this.limits.maxRunning) return BUSY;
    this.running += 1;
    const gaveUp = abortOf(request.signal);
    const answered = (async () => handler(request))().finally(() => {
      this.running -= 1;
    });
    try {
      const answer = await Promise.race([answered, gaveUp.promise]);
      if (answer === undefined) return { kind: 'unhandled' };
      return { kind: 'answered', answer: checked(answer) };
    } catch (error) {
      const { aborted } = request.signal;
      this.log.error({ error, plugin, method: request.method, path: request.path }, aborted ? 'a plugin was given up' : 'a plugin failed');
      return aborted ? TOO_SLOW : FAILED;
    } finally {
      gaveUp.stop();
    }
  }
}

function routeName(method: string, path: string): string {
  const name = `${method} ${path}`;
  if (!METHOD.test(method)) throw new TypeError(`${JSON.stringify(method)} is no method in capitals`);
  if (typeof path !== 'string' || !path.startsWith('/') || /[?#\s]/.test(path)) throw new TypeError(`${JSON.stringify(path)} is no path`);
  if (OWN_PATHS.test(path)) throw new TypeError(`${name} belongs to the gateway`);
  return name;
}

function checked(answer: unknown): PluginAnswer {
  if (typeof answer !== 'object' || answer === null) throw new TypeError('a handler answers with an object, or with undefined for what is not its own');
  const { status = 200, headers = {} } = answer as PluginAnswer;
  if (!Number.isInteger(status) || status < 200 || status > 599) throw new TypeError(`${JSON.stringify(status)} is no status of an answer`);
  for (const [name, value] of Object.entries(headers)) if (typeof value !== 'string') throw new TypeError(`the header ${name} is no text`);
  return answer as PluginAnswer;
}

function abortOf(signal: AbortSignal): { readonly promise: Promise<never>; stop(): void } {
  let onAbort = () => {};
  const promise = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
  });
  return { promise, stop: () => signal.removeEventListener('abort', onAbort) };
}
