/** What the admins have to say to everybody, above the page. */
import { useQuery } from '@tanstack/react-query';
import { Megaphone } from 'lucide-react';
import { instanceQuery } from './instance';

export function Announcement() {
  const words = useQuery(instanceQuery).data?.announcement;
  if (!words) return null;
  return (
    <p
      role="note"
      className="flex items-center justify-center gap-2.5 border-b border-line bg-surface-2 px-4 py-2 text-sm"
    >
      <Megaphone aria-hidden size={16} className="shrink-0 text-ink-2" />
      <span className="min-w-0 break-words">{words}</span>
    </p>
  );
}
