import 'reflect-metadata';
import { runService } from '@plexus/service-kit';
import { pushService } from './push.service.js';

await runService(pushService);
