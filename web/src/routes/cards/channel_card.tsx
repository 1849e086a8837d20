import { Link } from '@tanstack/react-router';
import type { ChannelCard as Found } from '../../api/discovery';
import { Pill } from '../../ui/pill';
import { COUNT } from '../../ui/time';

/** A channel, whether it is on air or not. */
export function ChannelCard({ channel }: { channel: Found }) {
  const followers = channel.followers === 1 ? '1 follower' : `${COUNT.format(channel.followers)} followers`;
  return (
    <li>
      <Link
        to="/@{$handle}"
        params={{ handle: channel.handle }}
        className="flex h-full items-center gap-4 rounded-card border border-line bg-surface-1 p-4 transition-colors duration-150 hover:border-line-strong"
      >
        <span
          aria-hidden
          className={`flex size-14 shrink-0 items-center justify-center overflow-hidden rounded-full bg-surface-3 text-xl font-semibold ${channel.is_live ? 'outline-2 outline-offset-2 outline-live' : ''}`}
        >
          {channel.avatar_url ? (
            <img src={channel.avatar_url} alt="" loading="lazy" className="size-full object-cover" />
          ) : (
            [...channel.name.trim()][0]?.toUpperCase()
          )}
        </span>
        <span className="min-w-0 flex-1">
          <span className="flex items-center gap-2">
            <span className="truncate font-semibold">{channel.name}</span>
            {channel.is_live && (
              <Pill tone="live" dot>
                Live
              </Pill>
            )}
          </span>
          <span className="block truncate text-sm text-ink-3">
            @{channel.handle} · {followers}
          </span>
          {channel.description && (
            <span className="mt-1 line-clamp-2 block text-sm text-ink-2">{channel.description}</span>
          )}
        </span>
      </Link>
    </li>
  );
}
