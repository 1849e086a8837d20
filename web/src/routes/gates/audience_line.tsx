import { Globe, Lock } from 'lucide-react';
import type { ChannelPage } from '../../api/channels';
import type { Stream } from '../../api/streams';
import { lookText, wholeAudience } from '../../gates/words';

/** Who may watch what is on air, or goes on air next. */
export function AudienceLine({
  stream,
  channel,
}: {
  /** What is on air or waited for; else the last one, as which the next begins. */
  stream: Stream | null;
  channel: Pick<ChannelPage, 'visibility'>;
}) {
  const isUnlisted = channel.visibility === 'public' && stream?.visibility === 'unlisted';
  const audience = wholeAudience(stream?.gate, isUnlisted ? 'unlisted' : channel.visibility);
  const Icon = audience === 'Everyone' ? Globe : Lock;
  const seconds = stream?.gate.who === 'everyone' ? 0 : (stream?.preview_seconds ?? 0);
  return (
    <p className="flex items-start gap-2 text-sm text-ink-2">
      <Icon aria-hidden size={16} className="mt-0.5 shrink-0 text-ink-3" />
      <span>
        Who may watch: <strong className="font-semibold text-ink">{audience}</strong>
        {seconds > 0 && `; a free preview of ${lookText(seconds)} for everybody else`}
      </span>
    </p>
  );
}
