import { type Call, HttpStandIn, type Reply } from './http-stand-in.js';

export const BOT_TOKEN = '12345678:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA';

/** A Bot API server: keeps updates until they are confirmed by an offset, holds long polls, answers sends. */
export class TelegramStandIn extends HttpStandIn {
  private readonly updates: { update_id: number }[] = [];
  private waiting: (() => void)[] = [];
  private messageIds = 1_000;
  /** While it is set every send gets this answer. */
  sendsFail: Reply | undefined;

  private constructor() {
    super((call, response) => {
      response.on('close', () => this.wake());
      return this.reply(call);
    });
  }

  static async start(): Promise<TelegramStandIn> {
    const standIn = new TelegramStandIn();
    await standIn.listen();
    return standIn;
  }

  /** Somebody writes; returns the message id. */
  write(message: Record<string, unknown>): number {
    const messageId = (message.message_id as number | undefined) ?? ++this.messageIds;
    const update_id = 500 + this.updates.length + this.calls.length;
    const last = this.updates.at(-1)?.update_id ?? 0;
    const from = { id: 99, is_bot: false, first_name: 'Ada', last_name: 'L', username: 'ada' };
    const full = { message_id: messageId, date: 1_790_000_000, from, chat: { id: 99, type: 'private', first_name: 'Ada' }, ...message };
    this.updates.push({ update_id: Math.max(update_id, last + 1), message: full } as never);
    this.wake();
    return messageId;
  }

  /** Updates that no offset has confirmed yet. */
  get unconfirmed(): number {
    return this.updates.length;
  }

  private wake(): void {
    for (const go of this.waiting.splice(0)) go();
  }

  private reply({ path, body }: Call): Reply {
    const token = /^\/bot([^/]+)\//.exec(path)?.[1];
    if (token !== BOT_TOKEN) return failure(401, 'Unauthorized');
    switch (path.split('/').at(-1)) {
      case 'getMe':
        return result({ id: 42, is_bot: true, first_name: 'Plexus', username: 'plexus_bot' });
      case 'getUpdates':
        return this.getUpdates(Number(body.offset ?? 0), Number(body.timeout ?? 0));
      case 'sendMessage':
        if (this.sendsFail !== undefined) return this.sendsFail;
        return this.sent(body);
      case 'sendPhoto':
      case 'sendDocument':
        return this.sent(body);
      default:
        return result(true);
    }
  }

  private sent(body: { chat_id: unknown; text?: string }): Reply {
    return result({ message_id: ++this.messageIds, date: 1, chat: { id: Number(body.chat_id), type: 'private' }, text: body.text });
  }

  private async getUpdates(offset: number, seconds: number): Promise<unknown> {
    while (this.updates[0] !== undefined && this.updates[0].update_id < offset) this.updates.shift();
    if (this.updates.length === 0 && seconds > 0) {
      await Promise.race([new Promise<void>((resolve) => this.waiting.push(resolve)), new Promise((resolve) => setTimeout(resolve, seconds * 1_000).unref())]);
    }
    return { body: { ok: true, result: [...this.updates] } };
  }
}

export function failure(code: number, description: string, parameters?: Record<string, unknown>) {
  return { status: code, body: { ok: false, error_code: code, description, ...(parameters && { parameters }) } };
}

function result(value: unknown) {
  return { body: { ok: true, result: value } };
}
