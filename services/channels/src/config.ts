import { z } from 'zod';

/** Settings of this service; the common ones come from `service-kit`. */
export const configSchema = z.object({});
