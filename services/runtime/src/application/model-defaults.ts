import type { MeshFrameOf } from '@plexus/vm-protocol/link';

const MAX_FALLBACKS = 32;

/** What `init.llm_config` says of models, as the newest connection brought it. */
export class ModelDefaults {
  #fallbacks: readonly string[] = [];

  /** Takes the settings of a connection in place of those before. */
  accept({ data: { llm_config: settings } }: MeshFrameOf<'init'>): void {
    const { fallback_model: one, fallbacks } = settings as { fallback_model?: unknown; fallbacks?: unknown };
    const names = [...(Array.isArray(fallbacks) ? (fallbacks as unknown[]) : []), one].filter(
      (name): name is string => typeof name === 'string' && name !== '',
    );
    this.#fallbacks = [...new Set(names)].slice(0, MAX_FALLBACKS);
  }

  /** Models to ask, at the endpoint of the run's own, when that fails and neither message nor session names others. */
  get fallbacks(): readonly string[] {
    return this.#fallbacks;
  }
}
