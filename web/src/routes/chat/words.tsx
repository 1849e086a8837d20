/** A message's text on a page. All of it are text nodes; nothing of it is read as markup. */
import type { Emote } from '../../chat/protocol';
import { isOnlyEmoji, partsOf } from '../../chat/text';

export function Words({
  text,
  emotes,
  own,
}: {
  text: string;
  emotes: ReadonlyMap<string, Emote>;
  /** One's own name: where it is mentioned it stands out. */
  own: string | null;
}) {
  const parts = partsOf(text, (code) => emotes.has(code));
  const large = parts.length === 1 && isOnlyEmoji(parts[0]?.text ?? '');
  return (
    <bdi className={`break-words [overflow-wrap:anywhere] ${large ? 'text-2xl leading-tight' : ''}`}>
      {parts.map((part, at) => {
        switch (part.kind) {
          case 'emote':
            // biome-ignore lint/suspicious/noArrayIndexKey: the parts of a text never move
            return <EmoteImage key={at} emote={emotes.get(part.code)} />;
          case 'mention': {
            const isOwn = own !== null && part.name.toLowerCase() === own.toLowerCase();
            return (
              <span
                // biome-ignore lint/suspicious/noArrayIndexKey: the parts of a text never move
                key={at}
                className={
                  isOwn ? 'rounded bg-ink px-1 font-semibold text-surface-0' : 'font-semibold text-ink'
                }
              >
                {part.text}
              </span>
            );
          }
          case 'link':
            return (
              <a
                // biome-ignore lint/suspicious/noArrayIndexKey: the parts of a text never move
                key={at}
                href={part.url}
                target="_blank"
                rel="noopener noreferrer nofollow ugc"
                className="underline underline-offset-2 hover:text-ink"
              >
                {part.text}
              </a>
            );
          default:
            return part.text;
        }
      })}
    </bdi>
  );
}

export function EmoteImage({ emote }: { emote: Emote | undefined }) {
  if (!emote) return null;
  return (
    <img
      src={emote.url}
      alt={`:${emote.code}:`}
      title={`:${emote.code}:`}
      width={emote.width}
      height={emote.height}
      loading="lazy"
      className="mx-0.5 inline-block h-7 w-auto max-w-24 object-contain align-middle"
    />
  );
}
