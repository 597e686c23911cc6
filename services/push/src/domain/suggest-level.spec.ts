import { suggestLevel } from './suggest-level.js';

describe('the suggestion of a quieter level', () => {
  it('comes when deliveries are repeatedly not useful, one step at a time', () => {
    expect(suggestLevel({ level: 'all', useful: 0, notUseful: 3 })).toBe('digest');
    expect(suggestLevel({ level: 'digest', useful: 1, notUseful: 3 })).toBe('critical_only');
    expect(suggestLevel({ level: 'critical_only', useful: 0, notUseful: 9 })).toBe('muted');
  });

  it('does not come for a mood, for mixed opinions, or when it cannot be quieter', () => {
    expect(suggestLevel({ level: 'all', useful: 0, notUseful: 2 })).toBeUndefined();
    expect(suggestLevel({ level: 'all', useful: 2, notUseful: 3 })).toBeUndefined();
    expect(suggestLevel({ level: 'muted', useful: 0, notUseful: 9 })).toBeUndefined();
  });
});
