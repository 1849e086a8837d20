import {
  Activity,
  Cog,
  Coins,
  HardDrive,
  ListChecks,
  Mail,
  Radio,
  ScrollText,
  Stethoscope,
  TvMinimal,
  UsersRound,
} from 'lucide-react';

/** The pages of admins, in the order of their tabs. */
export const SECTIONS = [
  { to: '/admin', label: 'Overview', icon: Activity },
  { to: '/admin/accounts', label: 'Accounts', icon: UsersRound },
  { to: '/admin/channels', label: 'Channels', icon: TvMinimal },
  { to: '/admin/streams', label: 'Streams', icon: Radio },
  { to: '/admin/invites', label: 'Invites', icon: Mail },
  { to: '/admin/payments', label: 'Payments', icon: Coins },
  { to: '/admin/storage', label: 'Storage', icon: HardDrive },
  { to: '/admin/jobs', label: 'Jobs', icon: ListChecks },
  { to: '/admin/system', label: 'System', icon: Stethoscope },
  { to: '/admin/settings', label: 'Settings', icon: Cog },
  { to: '/admin/audit', label: 'Audit log', icon: ScrollText },
] as const;
