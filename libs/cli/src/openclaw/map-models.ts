import { type Draft, item } from './draft.js';
import { mapSecret, variableName } from './map-secret.js';
import type { Place } from './reading.js';

/** Providers that OpenClaw knows without being told, and where they take OpenAI's form of a chat. */
const WELL_KNOWN: Readonly<Record<string, { baseUrl: string; key: string }>> = {
  anthropic: { baseUrl: 'https://api.anthropic.com/v1', key: 'ANTHROPIC_API_KEY' },
  deepseek: { baseUrl: 'https://api.deepseek.com/v1', key: 'DEEPSEEK_API_KEY' },
  google: { baseUrl: 'https://generativelanguage.googleapis.com/v1beta/openai', key: 'GEMINI_API_KEY' },
  groq: { baseUrl: 'https://api.groq.com/openai/v1', key: 'GROQ_API_KEY' },
  mistral: { baseUrl: 'https://api.mistral.ai/v1', key: 'MISTRAL_API_KEY' },
  openai: { baseUrl: 'https://api.openai.com/v1', key: 'OPENAI_API_KEY' },
  openrouter: { baseUrl: 'https://openrouter.ai/api/v1', key: 'OPENROUTER_API_KEY' },
  xai: { baseUrl: 'https://api.x.ai/v1', key: 'XAI_API_KEY' },
};
/** Ways of asking a model that end in `/chat/completions`, as ours do. */
const SPOKEN = new Set(['openai-completions', 'openai-responses']);

/** Reads model references: aliases are resolved, and providers that are only named are remembered. */
export class ModelReferences {
  private readonly aliases = new Map<string, string>();
  private readonly named = new Map<string, Place>();

  constructor(catalogues: readonly Place[]) {
    for (const place of catalogues.flatMap((catalogue) => catalogue.entries())) {
      const alias = place.at('alias').text();
      if (alias !== undefined) this.aliases.set(alias.toLowerCase(), place.name);
    }
  }

  /** A single reference; undefined when there is none. */
  one(place: Place): string | undefined {
    const text = place.text()?.trim();
    if (text === undefined || text === '') return undefined;
    const reference = this.aliases.get(text.toLowerCase()) ?? text;
    const provider = /^([^/]+)\//.exec(reference)?.[1]?.toLowerCase();
    if (provider !== undefined && !this.named.has(provider)) this.named.set(provider, place);
    return reference;
  }

  /** `"provider/model"`, or `{primary, fallbacks}`. */
  choice(place: Place): { model: string | undefined; fallbacks: string[] | undefined } {
    if (!place.isObject) return { model: this.one(place), fallbacks: undefined };
    const listed = place.at('fallbacks');
    const fallbacks = Array.isArray(listed.value) ? listed.entries().map((entry) => this.one(entry)) : undefined;
    if (fallbacks?.length === 0) listed.take();
    return { model: this.one(place.at('primary')), fallbacks: fallbacks?.filter((text) => text !== undefined) };
  }

  /** Writes the providers that are described, and those that are only named where we know their address. */
  writeProviders(providers: Place, draft: Draft): void {
    const described = new Set(providers.entries().map((provider) => this.writeProvider(provider, draft)));
    for (const [id, place] of this.named) {
      if (described.has(id)) continue;
      const known = Object.hasOwn(WELL_KNOWN, id) ? WELL_KNOWN[id] : undefined;
      if (known === undefined) {
        place.note(`nobody says where the provider ${JSON.stringify(id)} is: describe it under models.providers, else the runtime's own endpoint is asked`);
        continue;
      }
      draft.put(['models', 'providers', id, 'baseUrl'], known.baseUrl, place);
      draft.put(['models', 'providers', id, 'apiKey'], `\${${known.key}}`, place);
      place.needs(known.key);
    }
  }

  private writeProvider(provider: Place, draft: Draft): string {
    const id = provider.name.toLowerCase();
    const api = provider.at('api');
    if (typeof api.value === 'string' && !SPOKEN.has(api.value)) {
      if (!Object.hasOwn(WELL_KNOWN, id)) {
        provider.leave(`it is asked in another way (${/^[\w-]{1,40}$/.test(api.value) ? api.value : 'of its own'}); Plexus speaks OpenAI's chat completions`);
        return id;
      }
      api.leave("Plexus speaks OpenAI's chat completions with it");
    } else api.take();
    const target = ['models', 'providers', id];
    const wrote = draft.put(
      [...target, 'baseUrl'],
      provider.at('baseUrl').text() ?? (Object.hasOwn(WELL_KNOWN, id) ? WELL_KNOWN[id]?.baseUrl : undefined),
      provider,
    );
    if (!wrote) {
      provider.leave('it has no baseUrl');
      return id;
    }
    draft.put([...target, 'apiKey'], mapSecret(provider.at('apiKey'), variableName(id, 'api_key')), provider.at('apiKey'));
    for (const [index, model] of provider.at('models').entries().entries()) {
      const described = { id: model.at('id').text(), name: model.at('name').text(), contextWindow: model.at('contextWindow').number() };
      draft.put([...target, 'models', item(index)], Object.fromEntries(Object.entries(described).filter(([, value]) => value !== undefined)), model);
    }
    return id;
  }
}
