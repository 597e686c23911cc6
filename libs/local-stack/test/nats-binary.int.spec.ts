import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { findNatsServer, StartError } from '../src/index.js';
import { executable, scratchFolder } from './scratch.js';

/** A machine with stand-ins for apt-get and dpkg: the "package" is a shell script. `lists: false` makes the first download fail, as with empty package lists. */
function machine(lists: boolean): { env: Record<string, string>; cacheDir: string; calls: () => string[] } {
  const folder = scratchFolder();
  const log = path.join(folder, 'calls');
  executable(
    folder,
    'apt-get',
    `#!/bin/sh
echo "$@" >> ${log}
case "$*" in
  *update*) touch ${folder}/updated ;;
  *download*)
    [ ${lists} = true ] || [ -e ${folder}/updated ] || { echo "E: Unable to locate package nats-server" >&2; exit 100; }
    sleep 0.2
    echo package > nats-server_2.9.10-1_amd64.deb ;;
esac
`,
  );
  executable(
    folder,
    'dpkg',
    '#!/bin/sh\nmkdir -p unpacked/usr/sbin && printf "#!/bin/sh\\n" > unpacked/usr/sbin/nats-server && chmod +x unpacked/usr/sbin/nats-server\n',
  );
  return {
    env: { PATH: `${folder}:/usr/bin:/bin` },
    cacheDir: path.join(folder, 'cache'),
    calls: () => (existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : []),
  };
}

describe('finding a nats-server', () => {
  it('prefers the one that NATS_SERVER names, then PATH, then the cache', async () => {
    const { env, cacheDir, calls } = machine(true);
    const cached = await findNatsServer({ env, cacheDir, systemFolders: [] });
    expect(cached).toBe(path.join(cacheDir, 'nats-server'));
    const folder = scratchFolder();
    const onPath = executable(folder, 'nats-server', '#!/bin/sh\n');
    expect(await findNatsServer({ env: { PATH: `${folder}:${env.PATH}` }, cacheDir, systemFolders: [] })).toBe(onPath);
    const named = executable(folder, 'other', '#!/bin/sh\n');
    expect(await findNatsServer({ env: { ...env, NATS_SERVER: named }, cacheDir, systemFolders: [] })).toBe(named);
    expect(await findNatsServer({ env, cacheDir, systemFolders: [] })).toBe(cached);
    expect(calls()).toHaveLength(1);
  });

  it('downloads once when several ask at the same moment', async () => {
    const { env, cacheDir, calls } = machine(true);
    const found = await Promise.all(Array.from({ length: 5 }, () => findNatsServer({ env, cacheDir, systemFolders: [] })));
    expect(new Set(found)).toEqual(new Set([path.join(cacheDir, 'nats-server')]));
    expect(calls()).toHaveLength(1);
  });

  it('reads fresh package lists into a folder of its own when the machine has none, and says so', async () => {
    const { env, cacheDir, calls } = machine(false);
    const lines: string[] = [];
    await findNatsServer({ env, cacheDir, systemFolders: [], onProgress: (line) => lines.push(line) });
    expect(calls().map((call) => (/update|download/.exec(call) ?? [])[0])).toEqual(['download', 'update', 'download']);
    expect(lines.join('\n')).toContain('apt-get update');
  });

  it('says what to install where it cannot be fetched', async () => {
    const failure = findNatsServer({ env: { PATH: scratchFolder() }, cacheDir: scratchFolder(), systemFolders: [] });
    await expect(failure).rejects.toBeInstanceOf(StartError);
    await expect(failure).rejects.toMatchObject({ code: 'NATS_SERVER_MISSING', message: expect.stringContaining('apt-get install nats-server') });
  });

  it('only looks when it may not download', async () => {
    const { env, cacheDir, calls } = machine(true);
    await expect(findNatsServer({ env, cacheDir, systemFolders: [], download: false })).rejects.toMatchObject({ code: 'NATS_SERVER_MISSING' });
    expect(calls()).toEqual([]);
  });
});
