import { Bell, Database, KeyRound, ShieldCheck, UserRound } from 'lucide-react';

/** The pages of the settings, in the order of their tabs. */
export const SECTIONS = [
  { to: '/settings', label: 'Profile', icon: UserRound },
  { to: '/settings/security', label: 'Security', icon: ShieldCheck },
  { to: '/settings/notifications', label: 'Notifications', icon: Bell },
  { to: '/settings/tokens', label: 'Tokens', icon: KeyRound },
  { to: '/settings/data', label: 'Your data', icon: Database },
] as const;
