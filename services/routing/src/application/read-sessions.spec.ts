import { oldestWhoseFilesFit } from './read-sessions.js';

test('a page of an export ends before what is said of files is too much for one answer, and always moves on', () => {
  const attachments = [{ name: '€'.repeat(100) }];
  const bytes = Buffer.byteLength(JSON.stringify(attachments));
  const plain: { seq: number; attachments?: readonly object[] } = { seq: 1 };
  const withFiles = { seq: 2, attachments };
  expect(oldestWhoseFilesFit([plain, withFiles, withFiles, plain], 2 * bytes)).toHaveLength(4);
  expect(oldestWhoseFilesFit([plain, withFiles, withFiles, plain], 2 * bytes - 1)).toEqual([plain, withFiles]);
  expect(oldestWhoseFilesFit([withFiles, plain], 1)).toEqual([withFiles]);
});
