import { House, LayoutDashboard, Video } from 'lucide-react';

/** The pages of somebody who is signed in. */
export const PLACES = [
  { to: '/', label: 'Home', icon: House },
  { to: '/studio', label: 'Studio', icon: Video },
  { to: '/dashboard', label: 'Dashboard', icon: LayoutDashboard },
] as const;
