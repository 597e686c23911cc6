import { type ArgumentsHost, Catch, type RpcExceptionFilter } from '@nestjs/common';
import { type Observable, throwError } from 'rxjs';
import { toPlexusError } from './to-plexus-error.js';

/**
 * Hands every exception that no other filter took to the transport as it is. Nest's own base filter would replace it by "Internal server
 * error" and lose the code. Global filters come last, so filters of controllers and methods still go first.
 */
@Catch()
export class PlexusExceptionFilter implements RpcExceptionFilter {
  catch(exception: unknown, _host: ArgumentsHost): Observable<never> {
    return throwError(() => toPlexusError(exception));
  }
}
