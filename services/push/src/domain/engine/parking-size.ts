import type { LogEvent } from './types.js';

const MAX_DATA_CHARACTERS = 2_048;

/** An event as it is kept while it waits: larger data is left out, so that a thousand waiting events stay a state that can be written often. */
export function lighten(event: LogEvent): LogEvent {
  if (event.data === undefined || JSON.stringify(event.data).length <= MAX_DATA_CHARACTERS) return event;
  const { data: _data, ...light } = event;
  return light;
}
