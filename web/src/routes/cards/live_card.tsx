import { Link } from '@tanstack/react-router';
import { Eye } from 'lucide-react';
import type { LiveCard as Live } from '../../api/discovery';
import { resolutionName } from '../../player/layers';
import { Pill } from '../../ui/pill';
import { COUNT, clock, useNow } from '../../ui/time';
import { GateBadge } from '../gates/gate_badge';
import { LivePicture } from './live_picture';
import { CARD, CardPicture, OnPicture } from './shell';

/** A channel on air; `known`: what is shown of it is of now. */
export function LiveCard({ live, known }: { live: Live; known: boolean }) {
  const now = useNow();
  const size = resolutionName(live.width, live.height, null);
  const uploaded = live.thumbnail_url.startsWith('/images/') ? live.thumbnail_url : null;
  return (
    <li>
      <Link to="/@{$handle}" params={{ handle: live.handle }} className={CARD}>
        <CardPicture initial={live.name} image={uploaded}>
          {!uploaded && <LivePicture handle={live.handle} />}
          <span className="absolute top-3 left-3 flex gap-2">
            {!known ? (
              <Pill tone="neutral">Was live</Pill>
            ) : live.state === 'live' ? (
              <Pill tone="live" dot>
                Live
              </Pill>
            ) : (
              <Pill tone="warn">Reconnecting</Pill>
            )}
            <GateBadge gate={live.gate} />
          </span>
          <OnPicture corner="left">
            <Eye aria-hidden size={14} />
            {COUNT.format(live.viewers)}
            <span className="sr-only">watching</span>
          </OnPicture>
          {known && live.started_at && (
            <OnPicture corner="right">{clock(now - Date.parse(live.started_at))}</OnPicture>
          )}
        </CardPicture>
        <div className="border-t border-line px-4 py-3.5">
          <h3 className="truncate font-semibold">{live.title || live.name}</h3>
          <p className="mt-0.5 truncate text-sm text-ink-3">
            {live.title ? live.name : `@${live.handle}`}
            {size && ` · ${size}`}
          </p>
        </div>
      </Link>
    </li>
  );
}
