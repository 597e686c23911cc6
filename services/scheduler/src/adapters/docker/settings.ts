import { z } from 'zod';

const list = (description: string) =>
  z
    .string()
    .default('')
    .transform((text) =>
      text
        .split(',')
        .map((item) => item.trim())
        .filter((item) => item !== ''),
    )
    .describe(description);

/** Settings of the Docker provider. */
export const dockerSettings = z.object({
  DOCKER_ENGINE: z
    .string()
    .regex(/^(unix:\/\/\/\S+|tcp:\/\/[^\s/]+:\d+)$/, { error: 'must be unix:///path or tcp://host:port' })
    .default('unix:///var/run/docker.sock')
    .describe('Address of the Engine API. TCP is spoken without TLS: everybody on that network is root on its host.'),
  DOCKER_IMAGE: z.string().min(1).optional().describe('Image of the runtime, best with a digest. Required unless every template names one.'),
  DOCKER_NETWORK: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/, { error: 'must be the name of a Docker network' })
    .optional()
    .describe('Network from which the gateway can be reached. Default: none, which only works with a gateway socket in a bind.'),
  DOCKER_INTERNET_NETWORK: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/, { error: 'must be the name of a Docker network' })
    .optional()
    .describe('Network of templates that ask for the internet.'),
  DOCKER_CONTROL_PLANE_WS: z
    .string()
    .regex(/^wss?:\/\/\S+$/, { error: 'must be a ws:// or wss:// URL' })
    .optional()
    .describe('Address of the gateway as containers see it. Default: CONTROL_PLANE_WS.'),
  DOCKER_BINDS: list('Further read-only or read-write binds, comma-separated, as Docker writes them: /host:/container:ro.'),
  DOCKER_MEMORY_MIB: z.coerce.number().int().min(64).default(1_024).describe('Memory of one container; swap is off.'),
  DOCKER_CPU_MILLIS: z.coerce.number().int().min(50).default(1_000).describe('Thousandths of a core.'),
  DOCKER_MAX_PROCESSES: z.coerce.number().int().min(16).default(256).describe('Processes and threads of one container.'),
  DOCKER_USER: z.string().min(1).default('65532:65532').describe('User and group inside; never root.'),
});
export type DockerSettings = z.output<typeof dockerSettings>;
