import { CalendarDays, RadioTower } from 'lucide-react';

/** The pages of the dashboard, in the order of their tabs. */
export const SECTIONS = [
  { to: '/dashboard', label: 'Encoder', icon: RadioTower },
  { to: '/dashboard/streams', label: 'Schedule', icon: CalendarDays },
] as const;

export type Section = (typeof SECTIONS)[number]['to'];
