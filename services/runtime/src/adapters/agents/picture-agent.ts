import type { MessageAttachment } from '@plexus/vm-protocol';
import type { Clock } from '@plexus/kernel';
import type { AttachmentBytes } from '../../application/attached-files.js';
import { type Agent, AgentFailure, type Log, type ModelPiece, type Turn } from '../../application/ports.js';
import { classifyModelError } from '../../domain/model-error.js';

/** Of a conversation the newest pictures go along; older ones are named in the text. */
const MAX_PICTURES = 8;
const MAX_BYTES = 12 * 1024 * 1024;
/** Refusals that are remembered; beyond that the oldest picture is shown once more. */
const MAX_REMEMBERED = 1_000;
/** How an endpoint answers a request whose content it does not take. */
const REFUSING = new Set([400, 404, 415, 422]);

/**
 * Shows models the pictures of the conversation. A model that refuses them is asked without, and told so. What is remembered is the refused pictures and
 * not the model: one picture that is broken must not blind it for all that come after.
 */
export class PictureAgent implements Agent {
  private readonly refused = new Set<string>();

  constructor(
    private readonly inner: Agent,
    private readonly files: Pick<AttachmentBytes, 'read'>,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  async *run(turn: Turn, signal: AbortSignal): AsyncGenerator<ModelPiece> {
    const pictures = newestOf(turn);
    if (pictures.length === 0) {
      yield* this.inner.run(turn, signal);
      return;
    }
    const model = modelOf(turn);
    const showable = pictures.filter((picture) => !this.refused.has(keyOf(model, picture.attachment_id)));
    const pictureBytes = await this.load(turn, showable, signal);
    let said = false;
    try {
      for await (const piece of this.inner.run({ ...turn, pictureBytes }, signal)) {
        said = true;
        yield piece;
      }
    } catch (error) {
      if (said || signal.aborted || pictureBytes.size === 0 || !this.mayBeBlind(error)) throw error;
      yield* this.inner.run({ ...turn, pictureBytes: new Map() }, signal);
      // Only now: it takes the rest, so the pictures were what it refused.
      for (const id of pictureBytes.keys()) this.remember(keyOf(model, id));
      this.log('warn', 'the model does not take these pictures, it is asked without them', { model: turn.model, pictures: pictureBytes.size });
    }
  }

  private mayBeBlind(error: unknown): boolean {
    if (!(error instanceof AgentFailure)) return false;
    const { cause } = error;
    const status = cause !== null && typeof cause === 'object' ? (cause as { statusCode?: unknown }).statusCode : undefined;
    return typeof status === 'number' && REFUSING.has(status) && classifyModelError(cause, this.clock.now()).reason !== 'context_overflow';
  }

  private async load({ sessionId = '' }: Turn, pictures: readonly MessageAttachment[], signal: AbortSignal): Promise<Map<string, Uint8Array>> {
    const loaded = new Map<string, Uint8Array>();
    for (const picture of pictures) {
      try {
        loaded.set(picture.attachment_id, await this.files.read(sessionId, picture, signal));
      } catch (error) {
        signal.throwIfAborted();
        this.log('warn', 'a picture of the conversation cannot be read any more', { sessionId, attachmentId: picture.attachment_id, error });
      }
    }
    return loaded;
  }

  private remember(key: string): void {
    this.refused.add(key);
    const [oldest] = this.refused;
    if (this.refused.size > MAX_REMEMBERED && oldest !== undefined) this.refused.delete(oldest);
  }
}

const modelOf = ({ endpoint, model }: Turn): string => `${endpoint?.offer.provider ?? ''}/${model ?? ''}`;
const keyOf = (model: string, attachmentId: string): string => `${model}\n${attachmentId}`;

function newestOf({ conversation = [] }: Turn): MessageAttachment[] {
  let bytes = 0;
  const newestFirst = conversation.flatMap(({ pictures = [] }) => pictures).reverse();
  return newestFirst.slice(0, MAX_PICTURES).filter((picture) => {
    bytes += picture.bytes;
    return bytes <= MAX_BYTES;
  });
}
