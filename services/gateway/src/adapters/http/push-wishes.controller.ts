import { Body, Controller, Delete, Get, Headers, HttpCode, Inject, Param, Patch, Post, Put, Query } from '@nestjs/common';
import { type Principal, pushManageContracts as manage, SCOPES } from '@plexus/contracts';
import { z } from 'zod';
import { Caller, requireScope } from './caller.js';
import { Describe } from './describe.js';
import { HTTP_SERVICES, type HttpServices } from './http-services.js';
import { defined, idempotencyKeyOf, queryNumber, readInput } from './read-input.js';

const Whose = z.enum(['me', 'tenant']).optional();
const WhoseQuery = z.object({ for: Whose });
const Base = { for: Whose, baseVersion: z.number().int().min(0).optional() };
const PreferencesInput = manage.setPreferences.data;
const Replace = z.object({ ...Base, preferences: z.array(z.unknown()).max(200) });
const Hours = z.object({ ...Base }).loose();
const { quietHours } = manage.setQuietHours.data.shape;
const HoursBody = z.intersection(z.object(Base), quietHours.unwrap()).describe('Quiet hours, beside whose they are.');
const QuietHoursAnswer = z.object({ own: quietHours, tenant: quietHours, version: z.number().int(), tenantVersion: z.number().int() });
const SilenceQuery = z.object({
  for: Whose,
  expired: z
    .enum(['true', 'false'])
    .transform((text) => text === 'true')
    .optional(),
  limit: queryNumber(1, 200).optional(),
  cursor: z.string().min(1).max(512).optional(),
});
const IdOnly = manage.removeSilence.data;
const SilenceChanges = manage.updateSilence.data.omit({ id: true });

/** How people want to be reached: preferences, quiet hours, silences. `for: "tenant"` speaks for everybody and needs operator.admin. */
@Controller('v1')
export class PushWishesController {
  constructor(@Inject(HTTP_SERVICES) private readonly services: HttpServices) {}

  @Get('preferences')
  @Describe({ rpc: manage.getPreferences, scope: SCOPES.read })
  preferences(@Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.read);
    return this.services.mesh.call(manage.getPreferences, principal.tenant, {}, { principal });
  }

  /** The whole of them. */
  @Put('preferences')
  @Describe({ rpc: manage.setPreferences, scope: SCOPES.write, body: Replace })
  replace(@Body() body: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.write);
    const { preferences, ...rest } = readInput(Replace, body);
    return this.#set({ ...rest, put: preferences, replace: true }, principal);
  }

  /** `{put, remove}`: the same match and channel again replace the earlier sentence. */
  @Patch('preferences')
  @Describe({ rpc: manage.setPreferences, scope: SCOPES.write, body: PreferencesInput })
  change(@Body() body: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.write);
    return this.#set({ ...readInput(z.record(z.string(), z.unknown()), body), replace: false }, principal);
  }

  @Get('quiet-hours')
  @Describe({ summary: 'Quiet hours of the caller and of the tenant; null where there are none.', scope: SCOPES.read, response: QuietHoursAnswer })
  async quietHours(@Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.read);
    const { own, tenant } = await this.services.mesh.call(manage.getPreferences, principal.tenant, {}, { principal });
    return { own: own.quietHours ?? null, tenant: tenant.quietHours ?? null, version: own.version, tenantVersion: tenant.version };
  }

  @Put('quiet-hours')
  @Describe({ rpc: manage.setQuietHours, scope: SCOPES.write, body: HoursBody })
  setQuietHours(@Body() body: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.write);
    const { for: whose, baseVersion, ...quietHours } = readInput(Hours, body);
    const data = readInput(manage.setQuietHours.data, defined({ for: whose, baseVersion, quietHours }));
    return this.services.mesh.call(manage.setQuietHours, principal.tenant, defined(data), { principal });
  }

  @Delete('quiet-hours')
  @Describe({ rpc: manage.setQuietHours, scope: SCOPES.write, query: WhoseQuery })
  dropQuietHours(@Query() query: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.write);
    const whose = defined(readInput(WhoseQuery, query));
    return this.services.mesh.call(manage.setQuietHours, principal.tenant, { ...whose, quietHours: null }, { principal });
  }

  @Get('silences')
  @Describe({ rpc: manage.listSilences, scope: SCOPES.read, query: SilenceQuery })
  silences(@Query() query: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.read);
    return this.services.mesh.call(manage.listSilences, principal.tenant, defined(readInput(SilenceQuery, query)), { principal });
  }

  @Post('silences')
  @Describe({ rpc: manage.createSilence, scope: SCOPES.write, body: manage.createSilence.data, idempotency: 'owner' })
  @HttpCode(200)
  silence(@Body() body: unknown, @Headers() headers: Record<string, string | string[] | undefined>, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.write);
    const idempotencyKey = idempotencyKeyOf(headers);
    const data = readInput(manage.createSilence.data, body);
    const keyed = idempotencyKey === undefined ? data : { ...data, idempotencyKey };
    return this.services.mesh.call(manage.createSilence, principal.tenant, defined(keyed), { principal });
  }

  @Patch('silences/:id')
  @Describe({ rpc: manage.updateSilence, scope: SCOPES.write, body: SilenceChanges })
  changeSilence(@Param('id') id: string, @Body() body: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.write);
    const input = { ...readInput(SilenceChanges, body), ...readInput(IdOnly, { id }) };
    return this.services.mesh.call(manage.updateSilence, principal.tenant, defined(input), { principal });
  }

  /** Ends it now; it stays in the list. */
  @Post('silences/:id/expire')
  @Describe({ rpc: manage.expireSilence, scope: SCOPES.write })
  @HttpCode(200)
  expire(@Param('id') id: string, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.write);
    return this.services.mesh.call(manage.expireSilence, principal.tenant, readInput(IdOnly, { id }), { principal });
  }

  @Delete('silences/:id')
  @Describe({ rpc: manage.removeSilence, scope: SCOPES.write })
  remove(@Param('id') id: string, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.write);
    return this.services.mesh.call(manage.removeSilence, principal.tenant, readInput(IdOnly, { id }), { principal });
  }

  #set(input: Record<string, unknown>, principal: Principal): Promise<unknown> {
    return this.services.mesh.call(manage.setPreferences, principal.tenant, defined(readInput(PreferencesInput, defined(input))), { principal });
  }
}
