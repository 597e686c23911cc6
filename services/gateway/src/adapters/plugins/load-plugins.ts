import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { ConfigurationError, timeout } from '@plexus/kernel';
import type { Log } from '../../application/ports.js';
import type { GatewayPlugin, NodeBroadcasts, PluginApi } from '../../application/plugins/plugin-api.js';
import type { PluginChain } from '../../application/plugins/plugin-chain.js';

const REGISTER_LIMIT_MS = 10_000;
const CLOSE_LIMIT_MS = 2_000;
/** A package of npm, or a file in one. URLs are none: code is never fetched. */
const PACKAGE = /^(@[a-z0-9~-][\w.~-]*\/)?[a-z0-9~-][\w.~-]*(\/[\w.~-]+)*$/i;

export interface PluginLog extends Log {
  child(fields: object): Log;
}

/** The plugins of one gateway. */
export interface LoadedPlugins {
  readonly names: readonly string[];
  /** Never rejects: what a plugin says at the end is logged. */
  close(): Promise<void>;
}

/**
 * Loads the modules that the operator named: packages as Node resolves them from the gateway's installation, files by their path (relative to the
 * working directory). Rejects with a ConfigurationError that names the plugin when one cannot be loaded or does not register.
 */
export async function loadPlugins(specifiers: readonly string[], chain: PluginChain, nodes: NodeBroadcasts, log: PluginLog): Promise<LoadedPlugins> {
  const loaded: { name: string; plugin: GatewayPlugin }[] = [];
  for (const specifier of specifiers) {
    try {
      const plugin = pluginOf(await import(addressOf(specifier)));
      const name = plugin.name ?? specifier;
      const api: PluginApi = { log: log.child({ plugin: name }), ...chain.registrar(name), nodes };
      await timeout(Promise.resolve(plugin.register(api)), REGISTER_LIMIT_MS);
      loaded.push({ name, plugin });
      log.info({ plugin: name }, 'a plugin is loaded');
    } catch (error) {
      throw new ConfigurationError(`GATEWAY_PLUGINS: ${JSON.stringify(specifier)} cannot be loaded: ${(error as Error).message}`, { cause: error });
    }
  }
  return { names: loaded.map(({ name }) => name), close: () => closeAll(loaded, log) };
}

async function closeAll(loaded: readonly { name: string; plugin: GatewayPlugin }[], log: Log): Promise<void> {
  for (const { name, plugin } of [...loaded].reverse()) {
    try {
      await timeout(Promise.resolve(plugin.close?.()), CLOSE_LIMIT_MS);
    } catch (error) {
      log.warn({ error, plugin: name }, 'a plugin did not close');
    }
  }
}

function addressOf(specifier: string): string {
  if (specifier.startsWith('file:')) return specifier;
  if (/^\.{0,2}\//.test(specifier)) return pathToFileURL(path.resolve(specifier)).href;
  if (PACKAGE.test(specifier)) return specifier;
  throw new TypeError('it is neither a package nor the path of a file');
}

function pluginOf(module: { readonly default?: unknown }): GatewayPlugin {
  const { default: found } = module;
  if (typeof found === 'function') return { register: found as GatewayPlugin['register'] };
  if (typeof found === 'object' && found !== null && typeof (found as GatewayPlugin).register === 'function') return found as GatewayPlugin;
  throw new TypeError('its default export is no plugin');
}
