import 'reflect-metadata';
import { runService } from '@plexus/service-kit';
import { memoryService } from './memory.service.js';

await runService(memoryService);
