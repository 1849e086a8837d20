/** The pages and their addresses. */
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  RouterProvider,
  redirect,
} from '@tanstack/react-router';
import { startTransition } from 'react';
import { createRoot } from 'react-dom/client';
import { ApiError } from './api/client';
import type { SearchKind } from './api/discovery';
import { isPart, type Part } from './routes/dashboard/money/parts';
import { NotFoundPage } from './routes/not_found/page';

const queries = new QueryClient({
  defaultOptions: {
    // The server may be near although the internet is away; and a question that waits is a dead spinner.
    mutations: { networkMode: 'always' },
    queries: {
      networkMode: 'always',
      staleTime: 5000,
      retry: (count, error) =>
        count < 2 && error instanceof ApiError && (error.status === 0 || error.status >= 500),
    },
  },
});

/** What this document was loaded as: only the studio's own may use a camera (Permissions-Policy). */
const LOADED_AS_STUDIO = /^\/studio\/?$/.test(location.pathname);

const isKind = (kind: unknown): kind is SearchKind =>
  kind === 'channels' || kind === 'streams' || kind === 'recordings';

/** `?dock` alone says yes as well. */
const isSet = (value: unknown): boolean => value !== undefined && value !== false && value !== 0;

const root = createRootRoute({
  component: () => (
    <QueryClientProvider client={queries}>
      <Outlet />
    </QueryClientProvider>
  ),
  notFoundComponent: NotFoundPage,
});

const routes = [
  createRoute({
    getParentRoute: () => root,
    path: '/',
    component: lazyRouteComponent(() => import('./routes/home/page'), 'HomePage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/browse',
    validateSearch: (
      search: Record<string, unknown>,
    ): { category?: string; tag?: string; language?: string } => ({
      ...(typeof search.category === 'string' ? { category: search.category } : {}),
      ...(typeof search.tag === 'string' ? { tag: search.tag } : {}),
      ...(typeof search.language === 'string' ? { language: search.language } : {}),
    }),
    component: lazyRouteComponent(() => import('./routes/browse/page'), 'BrowsePage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/search',
    validateSearch: (search: Record<string, unknown>): { q?: string; kind?: SearchKind } => ({
      // A number in the address is parsed as one.
      ...(typeof search.q === 'string' || typeof search.q === 'number' ? { q: String(search.q) } : {}),
      ...(isKind(search.kind) ? { kind: search.kind } : {}),
    }),
    component: lazyRouteComponent(() => import('./routes/search/page'), 'SearchPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/setup',
    component: lazyRouteComponent(() => import('./routes/setup/page'), 'SetupPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/login',
    validateSearch: (search: Record<string, unknown>): { next?: string; problem?: string } => ({
      ...(typeof search.next === 'string' ? { next: search.next } : {}),
      ...(typeof search.problem === 'string' ? { problem: search.problem } : {}),
    }),
    component: lazyRouteComponent(() => import('./routes/login/page'), 'LoginPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/signup',
    component: lazyRouteComponent(() => import('./routes/signup/page'), 'SignUpPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/forgot',
    component: lazyRouteComponent(() => import('./routes/forgot/page'), 'ForgotPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/reset',
    component: lazyRouteComponent(() => import('./routes/reset/page'), 'ResetPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/verify',
    component: lazyRouteComponent(() => import('./routes/verify/page'), 'VerifyPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/settings',
    component: lazyRouteComponent(() => import('./routes/settings/page'), 'ProfilePage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/settings/security',
    validateSearch: (search: Record<string, unknown>): { problem?: string } =>
      typeof search.problem === 'string' ? { problem: search.problem } : {},
    component: lazyRouteComponent(() => import('./routes/settings/security_page'), 'SecurityPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/settings/tokens',
    component: lazyRouteComponent(() => import('./routes/settings/tokens_page'), 'TokensPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/settings/data',
    component: lazyRouteComponent(() => import('./routes/settings/data_page'), 'DataPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/admin',
    component: lazyRouteComponent(() => import('./routes/admin/page'), 'OverviewPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/admin/accounts',
    component: lazyRouteComponent(() => import('./routes/admin/accounts_page'), 'AccountsPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/admin/channels',
    component: lazyRouteComponent(() => import('./routes/admin/channels_page'), 'ChannelsPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/admin/streams',
    component: lazyRouteComponent(() => import('./routes/admin/streams_page'), 'StreamsPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/admin/invites',
    component: lazyRouteComponent(() => import('./routes/admin/invites_page'), 'InvitesPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/admin/storage',
    component: lazyRouteComponent(() => import('./routes/admin/storage_page'), 'StoragePage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/admin/jobs',
    component: lazyRouteComponent(() => import('./routes/admin/jobs_page'), 'JobsPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/admin/system',
    component: lazyRouteComponent(() => import('./routes/admin/system_page'), 'SystemPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/admin/settings',
    component: lazyRouteComponent(() => import('./routes/admin/settings_page'), 'SettingsPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/admin/audit',
    component: lazyRouteComponent(() => import('./routes/admin/audit_page'), 'AuditPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/studio',
    validateSearch: (search: Record<string, unknown>): { codec?: string; channel?: string } => ({
      ...(typeof search.codec === 'string' ? { codec: search.codec } : {}),
      ...(typeof search.channel === 'string' ? { channel: search.channel } : {}),
    }),
    // From any other page the studio is a document of its own, or its devices stay shut.
    beforeLoad: ({ cause, location: { href } }) => {
      if (cause === 'preload' || LOADED_AS_STUDIO) return;
      throw redirect({ href, reloadDocument: true });
    },
    component: lazyRouteComponent(() => import('./routes/studio/page'), 'StudioPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/dashboard',
    validateSearch: (search: Record<string, unknown>): { channel?: string } =>
      typeof search.channel === 'string' ? { channel: search.channel } : {},
    component: lazyRouteComponent(() => import('./routes/dashboard/page'), 'DashboardPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/dashboard/streams',
    validateSearch: (search: Record<string, unknown>): { channel?: string } =>
      typeof search.channel === 'string' ? { channel: search.channel } : {},
    component: lazyRouteComponent(() => import('./routes/dashboard/schedule/page'), 'SchedulePage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/dashboard/insights',
    validateSearch: (search: Record<string, unknown>): { channel?: string; stream?: string } => ({
      ...(typeof search.channel === 'string' ? { channel: search.channel } : {}),
      ...(typeof search.stream === 'string' ? { stream: search.stream } : {}),
    }),
    component: lazyRouteComponent(() => import('./routes/dashboard/insights/page'), 'InsightsPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/dashboard/webhooks',
    validateSearch: (search: Record<string, unknown>): { channel?: string } =>
      typeof search.channel === 'string' ? { channel: search.channel } : {},
    component: lazyRouteComponent(() => import('./routes/webhooks/page'), 'WebhooksPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/dashboard/money',
    validateSearch: (search: Record<string, unknown>): { channel?: string; part?: Part } => ({
      ...(typeof search.channel === 'string' ? { channel: search.channel } : {}),
      ...(isPart(search.part) ? { part: search.part } : {}),
    }),
    component: lazyRouteComponent(() => import('./routes/dashboard/money/page'), 'MoneyPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    // Where Stripe sends whoever has told it where the money goes.
    path: '/settings/payouts',
    beforeLoad: () => {
      throw redirect({ to: '/dashboard/money', search: { part: 'set-up' } });
    },
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/memberships',
    component: lazyRouteComponent(() => import('./routes/memberships/page'), 'MembershipsPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/alerts',
    component: lazyRouteComponent(() => import('./routes/alerts/page'), 'AlertsPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/admin/payments',
    validateSearch: (search: Record<string, unknown>): { event?: string } =>
      typeof search.event === 'string' ? { event: search.event } : {},
    component: lazyRouteComponent(() => import('./routes/admin/payments_page'), 'PaymentsPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/settings/notifications',
    component: lazyRouteComponent(() => import('./routes/notifications/page'), 'NotificationsPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/unsubscribe',
    component: lazyRouteComponent(() => import('./routes/unsubscribe/page'), 'UnsubscribePage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/dashboard/channel',
    validateSearch: (search: Record<string, unknown>): { channel?: string } =>
      typeof search.channel === 'string' ? { channel: search.channel } : {},
    component: lazyRouteComponent(() => import('./routes/dashboard/channel/page'), 'ChannelSettingsPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/videos/$id',
    validateSearch: (search: Record<string, unknown>): { t?: string | number } =>
      typeof search.t === 'string' || typeof search.t === 'number' ? { t: search.t } : {},
    component: lazyRouteComponent(() => import('./routes/video/page'), 'VideoPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/chat/$handle',
    validateSearch: (
      search: Record<string, unknown>,
    ): { dock?: boolean; overlay?: boolean; fade?: number } => ({
      ...(isSet(search.dock) ? { dock: true } : {}),
      ...(isSet(search.overlay) ? { overlay: true } : {}),
      ...(typeof search.fade === 'number' && search.fade > 0 ? { fade: search.fade } : {}),
    }),
    component: lazyRouteComponent(() => import('./routes/chat/page'), 'ChatPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/moderate/$handle',
    component: lazyRouteComponent(() => import('./routes/moderate/page'), 'ModeratePage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/dashboard/chat',
    validateSearch: (search: Record<string, unknown>): { channel?: string } =>
      typeof search.channel === 'string' ? { channel: search.channel } : {},
    component: lazyRouteComponent(() => import('./routes/dashboard/chat/page'), 'ChatSettingsPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/@{$handle}',
    component: lazyRouteComponent(() => import('./routes/watch/page'), 'WatchPage'),
  }),
];

const router = createRouter({
  routeTree: root.addChildren(routes),
  defaultPreload: 'intent',
  scrollRestoration: false,
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}

/** The entry module runs as soon as it is there, perhaps before the page is read to its end. */
export function mount(): void {
  const element = document.getElementById('root');
  // In slices, between which what the player has asked for is taken in.
  if (element) startTransition(() => createRoot(element).render(<RouterProvider router={router} />));
  else addEventListener('DOMContentLoaded', mount, { once: true });
}
