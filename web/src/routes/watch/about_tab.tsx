/** What a channel says of itself: description, links, panels. */
import { ExternalLink, Link2 } from 'lucide-react';
import type { ChannelPage, ShownLink } from '../../api/channels';
import { COUNT } from '../../ui/time';
import { languageName } from '../languages';
import { RichText } from '../rich_text';

export function AboutTab({ channel }: { channel: ChannelPage }) {
  const { description, links, panels, tags, category, language, followers } = channel;
  const facts = [
    category?.name,
    language && languageName(language),
    `${COUNT.format(followers)} ${followers === 1 ? 'follower' : 'followers'}`,
  ].filter((fact) => typeof fact === 'string' && fact !== '');
  return (
    <div className="flex flex-col gap-6">
      <div className="flex max-w-3xl flex-col gap-3">
        {description ? (
          <p className="leading-relaxed break-words whitespace-pre-line text-ink-2">{description}</p>
        ) : (
          <p className="text-ink-3">{channel.name} has not written anything here yet.</p>
        )}
        <p className="text-sm text-ink-3">{facts.join(' · ')}</p>
        {tags.length > 0 && (
          <ul aria-label="Tags" className="flex flex-wrap gap-2">
            {tags.map((tag) => (
              <li
                key={tag}
                className="rounded-full border border-line bg-surface-1 px-3 py-1 text-xs font-medium text-ink-2"
              >
                #{tag}
              </li>
            ))}
          </ul>
        )}
      </div>
      {links.length > 0 && (
        <ul aria-label="Links" className="flex flex-wrap gap-2">
          {links.map((link, at) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: two links may be the same, and none moves
            <li key={at}>
              <WayOut link={link} />
            </li>
          ))}
        </ul>
      )}
      {panels.length > 0 && (
        <div className="columns-1 gap-4 md:columns-2 xl:columns-3">
          {panels.map(({ title, blocks }, at) => (
            <section
              // biome-ignore lint/suspicious/noArrayIndexKey: two panels may be the same, and none moves
              key={at}
              className="mb-4 break-inside-avoid rounded-card border border-line bg-surface-1 p-5"
            >
              {title && <h3 className="mb-3 font-semibold break-words">{title}</h3>}
              <RichText blocks={blocks} />
            </section>
          ))}
        </div>
      )}
    </div>
  );
}

function WayOut({ link }: { link: ShownLink }) {
  const Icon = link.site ? Link2 : ExternalLink;
  return (
    <a
      href={link.url}
      target="_blank"
      rel="nofollow noreferrer me"
      className="inline-flex min-h-11 max-w-full items-center gap-2 rounded-control border border-line bg-surface-1 px-3.5 text-sm font-medium hover:border-line-strong"
    >
      <Icon aria-hidden size={16} className="shrink-0 text-ink-3" />
      <span className="truncate">{link.label}</span>
      <span className="truncate text-xs font-normal text-ink-3">{link.site ?? new URL(link.url).host}</span>
    </a>
  );
}
