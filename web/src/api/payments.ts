/** Requests about money: what a channel sells, paying for it, and what came in. */
import { ApiError, answer, http } from './client';
import type { components, paths } from './schema';

type Schemas = components['schemas'];
type Listed<Path extends '/api/channels/{handle}/ledger'> =
  paths[Path]['get']['responses'][200]['content']['application/json']['items'][number];

export type PaymentMode = Schemas['Instance']['payments'];
export type Offers = Schemas['ChannelOffers'];
export type Tier = Schemas['MembershipTier'];
export type Period = Schemas['MembershipPeriod'];
export type Ticket = Schemas['TicketOffer'];
export type Order = Schemas['NewPurchase'];
export type Purchase = Schemas['Purchase'];
export type OwnMembership = Schemas['OwnMembership'];
export type Payouts = Schemas['Payouts'];
export type Shop = Schemas['Shop'];
export type ShopEdit = Schemas['ShopEdit'];
export type NewTicket = Schemas['NewTicket'];
export type Member = Schemas['Member'];
export type Revenue = Schemas['Revenue'];
export type LedgerEntry = Listed<'/api/channels/{handle}/ledger'>;
export type StripeEvent = Schemas['StripeEvent'];

const of = (handle: string) => ({ params: { path: { handle } } });
const paged = (cursor: string) => ({ params: { query: cursor === '' ? {} : { cursor } } });

/** For whoever pays. */
export const paymentsApi = {
  offers: (handle: string) => answer<Offers>(http.GET('/api/channels/{handle}/offers', of(handle))),
  buy: (handle: string, body: Order) =>
    answer<Purchase>(http.POST('/api/channels/{handle}/purchases', { ...of(handle), body })),
  /** What opens one stream. */
  ticketsTo: (stream: string) =>
    answer(http.GET('/api/streams/{id}/tickets', { params: { path: { id: stream } } })),
  /** `null`: there is no such purchase of one's own. */
  purchase: (id: string) =>
    answer<Purchase>(http.GET('/api/purchases/{id}', { params: { path: { id } } })).catch(
      (error: unknown) => {
        if (error instanceof ApiError && error.status >= 400 && error.status < 429) return null;
        throw error;
      },
    ),
  changeTier: (handle: string, tier: number) =>
    answer(http.PUT('/api/channels/{handle}/membership', { ...of(handle), body: { tier } })),
  memberships: () => answer(http.GET('/api/account/memberships')),
  purchases: (cursor: string) => answer(http.GET('/api/account/purchases', paged(cursor))),
  /** Takes one of the memberships that somebody gives. */
  claim: (purchase: string) =>
    answer(http.POST('/api/purchases/{id}/claim', { params: { path: { id: purchase } } })),
  billing: () => answer(http.POST('/api/account/billing')),
};

/** For whoever is paid. */
export const shopApi = {
  show: (handle: string) => answer<Shop>(http.GET('/api/channels/{handle}/shop', of(handle))),
  edit: (handle: string, body: ShopEdit) =>
    answer<Shop>(http.PATCH('/api/channels/{handle}/shop', { ...of(handle), body })),
  tickets: (handle: string) => answer(http.GET('/api/channels/{handle}/tickets', of(handle))),
  sellTicket: (handle: string, body: NewTicket) =>
    answer(http.POST('/api/channels/{handle}/tickets', { ...of(handle), body })),
  withdrawTicket: (handle: string, id: string) =>
    answer(http.DELETE('/api/channels/{handle}/tickets/{id}', { params: { path: { handle, id } } })),
  members: (handle: string) => answer(http.GET('/api/channels/{handle}/members', of(handle))),
  revenue: (handle: string, days: number) =>
    answer<Revenue>(
      http.GET('/api/channels/{handle}/revenue', { params: { path: { handle }, query: { days } } }),
    ),
  ledger: (handle: string, cursor: string) =>
    answer(
      http.GET('/api/channels/{handle}/ledger', {
        params: { path: { handle }, query: cursor === '' ? {} : { cursor } },
      }),
    ),
  refund: (handle: string, id: string) =>
    answer(http.POST('/api/channels/{handle}/payments/{id}/refund', { params: { path: { handle, id } } })),
  makeAlertToken: (handle: string) => answer(http.POST('/api/channels/{handle}/alert_token', of(handle))),
  payouts: () => answer<Payouts>(http.GET('/api/account/payouts')),
  connect: () => answer(http.POST('/api/account/payouts')),
  openPayouts: () => answer(http.POST('/api/account/payouts/dashboard')),
};

/** For whoever runs the server. */
export const bookApi = {
  events: (cursor: string) => answer(http.GET('/api/admin/payments/events', paged(cursor))),
  run: (id: string) =>
    answer<StripeEvent>(http.POST('/api/admin/payments/events/{id}/run', { params: { path: { id } } })),
  ledger: (cursor: string) => answer(http.GET('/api/admin/payments/ledger', paged(cursor))),
};
