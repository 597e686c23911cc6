import 'reflect-metadata';
import { runService } from '@plexus/service-kit';
import { routingService } from './routing.service.js';

await runService(routingService);
