/** Requests about signing up and in, and about the own account. */
import { answer, http } from './client';
import { type Crop, uploadPicture } from './pictures';
import type { components, paths } from './schema';

type Schemas = components['schemas'];

export type Session = Schemas['Session'];
export type NextStep = Schemas['NextStep'];
export type Account = Schemas['AccountBody'];
export type AccountEdit = Schemas['AccountEdit'];
export type Confirmation = Schemas['Confirmation'];
export type OwnSession = Schemas['SessionBody'];
export type Token = Schemas['TokenBody'];
export type Enrolment = Schemas['EnrolmentBody'];
export type Registration = Schemas['RegistrationBody'];
type SignUp = paths['/api/auth/register']['post']['requestBody']['content']['application/json'];

/** Whether an answer to signing up or in says that there is another step. */
export function isNextStep(body: Session | NextStep): body is NextStep {
  return 'next' in body;
}

export const authApi = {
  registration: () => answer<Registration>(http.GET('/api/auth/registration')),
  register: (body: SignUp) => answer<Session | NextStep>(http.POST('/api/auth/register', { body })),
  signIn: (body: { name: string; password: string }) =>
    answer<Session | NextStep>(http.POST('/api/auth/login', { body })),
  signInByCode: (body: { challenge: string; code: string }) =>
    answer<Session>(http.POST('/api/auth/login/code', { body })),
  verify: (token: string) => answer(http.POST('/api/auth/verify', { body: { token } })),
  askToConfirm: (body: Schemas['VerifyRequest']) => answer(http.POST('/api/auth/verify-requests', { body })),
  askForReset: (email: string) => answer(http.POST('/api/auth/reset-requests', { body: { email } })),
  reset: (body: { token: string; password: string }) => answer(http.POST('/api/auth/reset', { body })),
};

export const accountApi = {
  show: () => answer<Account>(http.GET('/api/account')),
  edit: (body: AccountEdit) => answer<Account>(http.PATCH('/api/account', { body })),
  setPicture: (file: File, crop: Crop) => uploadPicture('/api/account/avatar', file, crop),
  removePicture: () => answer(http.DELETE('/api/account/avatar')),
  leave: (body: Confirmation) => answer(http.DELETE('/api/account', { body })),
  sessions: () => answer(http.GET('/api/account/sessions')),
  endSession: (id: string) => answer(http.DELETE('/api/account/sessions/{id}', { params: { path: { id } } })),
  endOtherSessions: () => answer(http.DELETE('/api/account/sessions')),
  beginSecondStep: (body: Confirmation) => answer<Enrolment>(http.POST('/api/account/second_step', { body })),
  confirmSecondStep: (code: string) =>
    answer(http.POST('/api/account/second_step/confirm', { body: { code } })),
  renewRecoveryCodes: (body: Confirmation) =>
    answer(http.POST('/api/account/second_step/recovery_codes', { body })),
  endSecondStep: (body: Confirmation) => answer(http.DELETE('/api/account/second_step', { body })),
  tokens: () => answer(http.GET('/api/account/tokens')),
  createToken: (body: { name: string; scopes: string[]; days: number | null }) =>
    answer(http.POST('/api/account/tokens', { body })),
  deleteToken: (id: string) => answer(http.DELETE('/api/account/tokens/{id}', { params: { path: { id } } })),
};
