// First of all imports: zod would try whether it may compile code, and the content security policy answers that with a report in the console.
import { config } from 'zod';

config({ jitless: true });
