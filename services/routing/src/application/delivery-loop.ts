import { WorkLoop } from './work-loop.js';

/** The loop that works on sends; whoever stores one hurries it. */
export class DeliveryLoop extends WorkLoop {}
