/** What the reply subject of a JetStream delivery says about it. */
export interface DeliveryInfo {
  readonly stream: string;
  readonly consumer: string;
  /** How often this message was delivered to this consumer, this time included. */
  readonly attempt: number;
  readonly streamSeq: number;
  readonly consumerSeq: number;
  /** When the stream stored the message: milliseconds since the epoch. */
  readonly timeMs: number;
  /** Messages of this filter behind this one. */
  readonly pending: number;
}

/**
 * Reads `$JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<time>.<pending>`, or the longer form with domain and
 * account hash in front of the stream. Undefined for anything else.
 */
export function readDeliveryInfo(reply: string | undefined): DeliveryInfo | undefined {
  if (reply === undefined || !reply.startsWith('$JS.ACK.')) return undefined;
  const tokens = reply.split('.');
  const at = tokens.length === 9 ? 2 : 4;
  if (tokens.length !== 9 && tokens.length < 11) return undefined;
  const [stream, consumer, attempt, streamSeq, consumerSeq, nanos, pending] = tokens.slice(at, at + 7) as [
    string,
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  return {
    stream,
    consumer,
    attempt: Number(attempt),
    streamSeq: Number(streamSeq),
    consumerSeq: Number(consumerSeq),
    // Nanoseconds exceed what a double holds exactly; the last six digits are not wanted anyway.
    timeMs: Number(nanos.slice(0, -6)),
    pending: Number(pending),
  };
}
