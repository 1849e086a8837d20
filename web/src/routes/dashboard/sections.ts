import { CalendarDays, ChartLine, Coins, MessagesSquare, Palette, RadioTower, Webhook } from 'lucide-react';

/** The pages of the dashboard, in the order of their tabs. */
export const SECTIONS = [
  { to: '/dashboard', label: 'Encoder', icon: RadioTower },
  { to: '/dashboard/streams', label: 'Schedule', icon: CalendarDays },
  { to: '/dashboard/channel', label: 'Channel', icon: Palette },
  { to: '/dashboard/chat', label: 'Chat', icon: MessagesSquare },
  { to: '/dashboard/insights', label: 'Insights', icon: ChartLine },
  { to: '/dashboard/money', label: 'Money', icon: Coins },
  { to: '/dashboard/webhooks', label: 'Webhooks', icon: Webhook },
] as const;

export type Section = (typeof SECTIONS)[number]['to'];
