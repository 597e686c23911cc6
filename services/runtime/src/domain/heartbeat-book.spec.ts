import { HeartbeatBook } from './heartbeat-book.js';

const middle = (): number => 0.5;

describe('heartbeat book', () => {
  it('beats at once and then every interval, give or take a tenth', () => {
    const book = new HeartbeatBook(0, 10_000, middle);
    expect(book.next(0)).toBe('beat');
    book.sent(0);
    expect([book.next(0), book.answered(100), book.next(9_999), book.next(10_000)]).toEqual(['wait', 0, 'wait', 'beat']);
    const early = new HeartbeatBook(0, 10_000, () => 0);
    early.sent(0);
    early.answered(1);
    expect([early.next(8_999), early.next(9_000)]).toEqual(['wait', 'beat']);
  });

  it('says when the answered beat was sent, not when the answer came', () => {
    const book = new HeartbeatBook(0, 10_000, middle);
    book.sent(5);
    book.sent(10_005);
    expect([book.answered(10_100), book.answered(10_200), book.answered(10_300)]).toEqual([5, 10_005, undefined]);
  });

  it('gives the connection up after two beats in a row without an answer', () => {
    const book = new HeartbeatBook(0, 10_000, middle);
    book.sent(0);
    expect(book.next(10_000)).toBe('beat');
    book.sent(10_000);
    expect(book.next(20_000)).toBe('drop');
  });

  it('forgives a single lost answer', () => {
    const book = new HeartbeatBook(0, 10_000, middle);
    book.sent(0);
    expect(book.next(10_000)).toBe('beat');
    book.sent(10_000);
    book.answered(10_100);
    book.answered(10_100);
    expect(book.next(20_000)).toBe('beat');
  });

  it('gives the connection up after 25 s of silence, or two refused sends', () => {
    const silent = new HeartbeatBook(0, 60_000, middle);
    expect(silent.next(149_999)).toBe('beat');
    expect(silent.next(150_000)).toBe('drop');
    const refused = new HeartbeatBook(0, 10_000, middle);
    refused.sent(0);
    refused.sendFailed();
    expect(refused.next(1)).toBe('beat');
    refused.sent(1);
    refused.sendFailed();
    expect(refused.next(2)).toBe('drop');
  });
});
