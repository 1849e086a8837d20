import { Gift, HandCoins, UserPlus } from 'lucide-react';

/** For what somebody gives; members have another one at their name. */
export const SUPPORT_ICONS = { membership: UserPlus, gift: Gift, tip: HandCoins };
