import { useQuery } from '@tanstack/react-query';
import { notifications } from '../../api/notifications';

export const SETTINGS = ['notification_settings'];

/** What somebody who is signed in is told of. */
export function useNotificationSettings(enabled: boolean) {
  return useQuery({ queryKey: SETTINGS, queryFn: notifications.settings, enabled });
}
