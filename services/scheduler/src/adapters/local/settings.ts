import { z } from 'zod';

const whole = (minimum: number, maximum: number, description: string) => z.coerce.number().int().min(minimum).max(maximum).optional().describe(description);

/** Settings of the local provider, beside RUNTIME_ENTRY, PLEXUS_CLUSTER and ALLOW_UNSANDBOXED_LOCAL. */
export const localSettings = z.object({
  LOCAL_ORPHAN_POLICY: z
    .enum(['adopt', 'die'])
    .default('adopt')
    .describe('adopt: VMs outlive a scheduler that is killed, its successor takes them over. die: they end with it.'),
  LOCAL_NAMESPACES: z
    .enum(['off', 'auto', 'require'])
    .default('off')
    .describe(
      'Start VMs with bubblewrap (bwrap on PATH): own process table, read-only file system, state folder hidden. auto: if it works here, with a warning if not.',
    ),
  LOCAL_NICE: whole(0, 19, 'Scheduling priority of VMs: 0 like everybody, 19 last.'),
  LOCAL_MAX_OPEN_FILES: whole(64, 1_048_576, 'Open files of each process of a VM (prlimit).'),
  LOCAL_MAX_FILE_MIB: whole(1, 1_048_576, 'Largest file that a process of a VM may write (prlimit).'),
  LOCAL_MAX_DATA_MIB: whole(768, 1_048_576, 'Private writable address space of each process of a VM (prlimit), not of all together. Node alone reserves 600.'),
});
export type LocalSettings = z.output<typeof localSettings>;
