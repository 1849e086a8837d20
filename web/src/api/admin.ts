/** Requests that only admins make. */
import { answer, http, within } from './client';
import type { components } from './schema';

type Schemas = components['schemas'];

export type AdminAccount = Schemas['AdminAccount'];
export type AuditEntry = Schemas['AuditEntry'];
export type Role = Schemas['Role'];
export type SettingsBody = Schemas['InstanceSettings'];
export type SettingValues = Schemas['SettingValues'];

export type SystemChecks = Schemas['SystemChecks'];

/** Name servers and relays are waited for. */
const CHECKED_WITHIN_MS = 30_000;

const of = (id: string) => ({ params: { path: { id } } });
/** Without what is empty: an absent filter is no filter. */
const query = <T extends object>(filters: T): Partial<T> =>
  Object.fromEntries(
    Object.entries(filters).filter(([, value]) => value !== '' && value !== undefined),
  ) as Partial<T>;

export interface AccountFilters {
  q: string;
  role: Role | '';
  suspended: boolean | undefined;
  cursor: string;
}

export interface AuditFilters {
  action: string;
  cursor: string;
}

export const adminApi = {
  overview: () => answer(http.GET('/api/admin/overview')),
  accounts: (filters: AccountFilters) =>
    answer(
      http.GET('/api/admin/accounts', {
        params: { query: query(filters) as { q?: string; role?: Role } },
      }),
    ),
  setRole: (id: string, role: Role) =>
    answer(http.PATCH('/api/admin/accounts/{id}', { ...of(id), body: { role } })),
  suspend: (id: string, reason: string) =>
    answer(http.POST('/api/admin/accounts/{id}/suspend', { ...of(id), body: { reason } })),
  restore: (id: string) => answer(http.POST('/api/admin/accounts/{id}/restore', of(id))),
  resetSecondStep: (id: string) => answer(http.DELETE('/api/admin/accounts/{id}/second_step', of(id))),
  passwordLink: (id: string) => answer(http.POST('/api/admin/accounts/{id}/password_link', of(id))),
  removeAccount: (id: string) => answer(http.DELETE('/api/admin/accounts/{id}', of(id))),
  channels: (q: string, cursor: string) =>
    answer(http.GET('/api/admin/channels', { params: { query: query({ q, cursor }) } })),
  hideChannel: (handle: string, is_hidden: boolean) =>
    answer(http.PATCH('/api/admin/channels/{handle}', { params: { path: { handle } }, body: { is_hidden } })),
  streams: () => answer(http.GET('/api/admin/streams')),
  endStream: (id: string) => answer(http.POST('/api/admin/streams/{id}/end', of(id))),
  invites: (cursor: string) =>
    answer(http.GET('/api/admin/invites', { params: { query: query({ cursor }) } })),
  createInvite: (body: { note: string; role: Role; days: number; max_uses: number }) =>
    answer(http.POST('/api/admin/invites', { body })),
  deleteInvite: (id: string) => answer(http.DELETE('/api/admin/invites/{id}', of(id))),
  storage: () => answer(http.GET('/api/admin/storage')),
  jobs: () => answer(http.GET('/api/admin/jobs')),
  retryJob: (id: string) => answer(http.POST('/api/admin/jobs/{id}/retry', of(id))),
  testMail: () => answer(http.POST('/api/admin/mail_test')),
  settings: () => answer(http.GET('/api/admin/settings')),
  editSettings: (body: Partial<SettingValues>) => answer(http.PATCH('/api/admin/settings', { body })),
  resetSetting: (field: string) =>
    answer(http.DELETE('/api/admin/settings/{field}', { params: { path: { field } } })),
  audit: (filters: AuditFilters) =>
    answer(http.GET('/api/admin/audit', { params: { query: query(filters) } })),
  checks: () => answer(http.GET('/api/admin/checks', { fetch: within(CHECKED_WITHIN_MS) })),
  checkAudit: () => answer(http.GET('/api/admin/audit/check')),
};
