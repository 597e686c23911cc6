import { normaliseAgentId } from '@plexus/routing-core';
import type { Draft } from './draft.js';
import type { Place } from './reading.js';

/** Rules about which tools may be used: the same idea on both sides. */
export function mapToolRules(tools: Place, target: readonly string[], draft: Draft): void {
  draft.put([...target, 'profile'], tools.at('profile').text(), tools.at('profile'));
  for (const list of ['allow', 'alsoAllow', 'deny']) draft.put([...target, list], tools.at(list).texts(), tools.at(list));
  for (const provider of tools.at('byProvider').entries()) mapToolRules(provider, [...target, 'byProvider', provider.name.toLowerCase()], draft);
}

/** The rules of the whole document, with those about sessions. */
export function mapTools(tools: Place, draft: Draft): void {
  mapToolRules(tools, ['tools'], draft);
  const [visibility, between] = [tools.at('sessions', 'visibility'), tools.at('agentToAgent')];
  draft.put(['tools', 'sessions', 'visibility'], visibility.text(), visibility);
  draft.put(['tools', 'agentToAgent', 'enabled'], between.at('enabled').flag(), between.at('enabled'));
  const allow = between
    .at('allow')
    .texts()
    ?.map((id) => (id === '*' ? id : normaliseAgentId(id)));
  draft.put(['tools', 'agentToAgent', 'allow'], allow, between.at('allow'));
}
