import type { EventTap } from './deciding-ports.js';
import type { AccessEvent, AccessEventResult } from './managing/handle-access-event.js';
import type { MeaningMatcher } from './meaning.js';

/** Who obeys events that speak about access; asked before such an event is matched, so that whom it concerns follows from it. */
export abstract class AccessEvents {
  abstract concerns(name: string): boolean;
  abstract execute(event: AccessEvent): Promise<AccessEventResult>;
}

/** What sees events beside the rules of subscriptions. */
export interface MatchingHooks {
  readonly meaning?: MeaningMatcher | undefined;
  readonly tap?: EventTap | undefined;
}
