// Before any schema is made: zod would try whether it may compile code, which a page's content security policy answers with a report.
import { config } from 'zod';

config({ jitless: true });
