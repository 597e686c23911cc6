/** Provider keys of users, sealed at rest. */
export interface ProviderSecrets {
  put(tenant: string, subject: string, name: string, value: string): Promise<void>;
  get(tenant: string, subject: string, name: string): Promise<string | undefined>;
  list(tenant: string, subject: string): Promise<{ readonly name: string; readonly updatedAt: string }[]>;
  delete(tenant: string, subject: string, name: string): Promise<boolean>;
}
