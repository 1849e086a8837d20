/** Whom a planned stream is for, and the way to a ticket where it asks for one. */
import { BadgeCheck } from 'lucide-react';
import { lazy, Suspense } from 'react';
import type { StreamGate } from '../../api/entry';
import { useEntry } from './access';
import { GateBadge } from './gate_badge';

const GetTicket = lazy(() => import('../payments/get_ticket'));

export default function PlannedGate({
  handle,
  stream,
  gate,
  title,
}: {
  handle: string;
  stream: string;
  gate: StreamGate;
  title: string;
}) {
  if (gate.who === 'everyone') return null;
  return (
    <div className="flex flex-wrap items-center gap-2">
      {/* On a phone the button says it. */}
      <span className={gate.who === 'ticket' ? 'flex max-sm:hidden' : 'flex'}>
        <GateBadge gate={gate} />
      </span>
      {gate.who === 'ticket' && <Ticket handle={handle} stream={stream} title={title} />}
    </div>
  );
}

function Ticket({ handle, stream, title }: { handle: string; stream: string; title: string }) {
  const entry = useEntry('stream', stream).data;
  if (!entry) return null;
  if (entry.access === 'granted') {
    return (
      <span className="inline-flex items-center gap-1.5 text-sm text-ink-2">
        <BadgeCheck aria-hidden size={16} />
        You can watch it
      </span>
    );
  }
  return (
    <Suspense fallback={null}>
      <GetTicket handle={handle} stream={stream} title={title || 'this stream'} />
    </Suspense>
  );
}
