import 'reflect-metadata';
import { RequestMethod, type Type } from '@nestjs/common';
import { HTTP_CODE_METADATA, METHOD_METADATA, PATH_METADATA } from '@nestjs/common/constants.js';
import { descriptionOf, type RouteDescription } from '../describe.js';

/** One route as Nest knows it. */
export interface DescribedRoute {
  /** Lower case. */
  readonly method: string;
  /** With parameters as `{name}`. */
  readonly path: string;
  readonly operationId: string;
  readonly tag: string;
  readonly status: number;
  /** Absent: somebody forgot it. */
  readonly description: RouteDescription | undefined;
}

/** The routes of controllers, from the metadata of their decorators. */
export function routesOf(controllers: readonly Type[]): DescribedRoute[] {
  return controllers.flatMap((controller) => {
    const prefix = Reflect.getMetadata(PATH_METADATA, controller) as string;
    const prototype = controller.prototype as Record<string, unknown>;
    const names = Object.getOwnPropertyNames(prototype).filter((name) => name !== 'constructor');
    return names.flatMap((name) => {
      const handler = prototype[name];
      if (typeof handler !== 'function' || !Reflect.hasMetadata(METHOD_METADATA, handler)) return [];
      return [routeOf(controller.name.replace(/Controller$/, ''), prefix, name, handler)];
    });
  });
}

function routeOf(group: string, prefix: string, name: string, handler: object): DescribedRoute {
  const method = RequestMethod[Reflect.getMetadata(METHOD_METADATA, handler) as number]?.toLowerCase() ?? 'get';
  const own = Reflect.getMetadata(PATH_METADATA, handler) as string;
  const path = `/${[prefix, own]
    .map((part) => part.replace(/^\/+|\/+$/g, ''))
    .filter((part) => part !== '')
    .join('/')}`;
  const declared = Reflect.getMetadata(HTTP_CODE_METADATA, handler) as number | undefined;
  return {
    method,
    path: path.replace(/:(\w+)/g, '{$1}'),
    operationId: `${group[0]?.toLowerCase()}${group.slice(1)}.${name}`,
    tag: path.split('/')[2] ?? group,
    status: declared ?? (method === 'post' ? 201 : 200),
    description: descriptionOf(handler),
  };
}
