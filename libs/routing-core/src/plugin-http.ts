/** What a plugin's handler needs of a response; Node's and Fastify's raw responses fit. */
export interface HttpAnswer {
  readonly headersSent: boolean;
  statusCode: number;
  setHeader(name: string, value: string): unknown;
  end(body?: string): unknown;
}

export interface PluginRoute<Request, Response extends HttpAnswer> {
  /** Exact pathname. */
  readonly path: string;
  readonly handle: (request: Request, response: Response) => unknown;
}

/** Answers true when it took the request. */
export type PluginHandler<Request, Response extends HttpAnswer> = (request: Request, response: Response) => boolean | Promise<boolean>;

/**
 * Offers a request to plugins: the route of exactly its path, which is final whatever it answers, else handlers one after the other until
 * one takes it. A handler that throws ends the chain: it is logged, and answered with 500 unless something was sent. True when handled.
 */
export async function offerToPlugins<Request extends { readonly url?: string | undefined }, Response extends HttpAnswer>(
  request: Request,
  response: Response,
  plugins: {
    readonly routes?: readonly PluginRoute<Request, Response>[];
    readonly handlers?: readonly PluginHandler<Request, Response>[];
    readonly warn: (error: unknown) => void;
  },
): Promise<boolean> {
  const path = (request.url ?? '/').split(/[?#]/)[0] || '/';
  const route = plugins.routes?.find((candidate) => candidate.path === path);
  try {
    if (route) {
      await route.handle(request, response);
      return true;
    }
    for (const handler of plugins.handlers ?? []) if (await handler(request, response)) return true;
    return false;
  } catch (error) {
    plugins.warn(error);
    if (!response.headersSent) {
      response.statusCode = 500;
      response.setHeader('Content-Type', 'text/plain; charset=utf-8');
      response.end('Internal Server Error');
    }
    return true;
  }
}
