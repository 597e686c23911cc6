import 'reflect-metadata';
import { runService } from '@plexus/service-kit';
import { gatewayService } from './gateway.module.js';

await runService(gatewayService);
