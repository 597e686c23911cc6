import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { openTestPglite, throwAwayFolder } from '../src/index.js';

describe('openTestPglite', () => {
  it('gives databases with the migrations applied that do not see each other', async () => {
    const folder = throwAwayFolder('migrations').path;
    mkdirSync(path.join(folder, '0001_notes'));
    writeFileSync(
      path.join(folder, '0001_notes', 'migration.sql'),
      'create extension if not exists vector; create table note (id int primary key, v vector(3));',
    );
    const one = await openTestPglite(folder, 'memory');
    const two = await openTestPglite(folder, 'memory');
    try {
      await one.query('add', 'insert into note values (1, $1)', ['[1,2,3]']);
      expect(await one.query('near', 'select id from note order by v <-> $1 limit 1', ['[1,2,2]'])).toEqual([{ id: 1 }]);
      expect(await two.query('all', 'select id from note')).toEqual([]);
    } finally {
      await one.close();
      await two.close();
    }
  }, 180_000);
});
