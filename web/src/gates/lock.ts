/** What is shut before a viewer, and what for: from what the server says and from how playback ended. */
import type { ChannelFacts, EntryFacts } from '../player/channel';
import type { BarredWhy } from '../player/pass';

export interface Lock {
  /** What is missing. */
  by: Exclude<ChannelFacts['access'], 'granted'>;
  /** What it stands before. */
  of: 'channel' | 'stream' | 'recording';
  /** From which tier on, where it is for members. */
  tier: number | null;
  /** What there was until now, and is over. */
  ended: 'access' | 'preview' | null;
}

/** As far as it matters of a player's phase, live or recorded. */
type Phase = { name: string } | { name: 'barred'; why: BarredWhy; midway: boolean };

/** What keeps somebody from a channel, or from what is on air there. */
export function lockOfChannel(channel: Pick<ChannelFacts, 'access' | 'entry'>, phase: Phase): Lock | null {
  if (channel.access !== 'granted')
    return { by: channel.access, of: 'channel', tier: null, ended: endedBy(phase) };
  // Whoever plays is let in, whatever was said before; and off air nothing is shut.
  return phase.name === 'barred' ? lockOf('stream', channel.entry, phase) : null;
}

/** What keeps somebody from a recording; a free look shows its first seconds, and then shuts. */
export function lockOfRecording(entry: EntryFacts | null, phase: Phase): Lock | null {
  const isShut = entry !== null && entry.access !== 'granted';
  if (isShut && entry.previewMs !== null && phase.name === 'ended')
    return { ...lockFrom('recording', entry), ended: 'preview' };
  if (phase.name === 'barred') return lockOf('recording', entry, phase);
  return isShut && entry.previewMs === null ? lockFrom('recording', entry) : null;
}

function lockOf(of: Lock['of'], entry: EntryFacts | null, phase: Phase): Lock | null {
  const ended = endedBy(phase);
  if (entry && entry.access !== 'granted') return { ...lockFrom(of, entry), ended };
  // What the media said is newer than what was said of the stream.
  const by = 'why' in phase ? LACKS[phase.why] : undefined;
  return by ? { by, of, tier: null, ended } : null;
}

function lockFrom(of: Lock['of'], { access, tier, isOfChannel }: EntryFacts): Lock {
  return { by: access as Lock['by'], of: isOfChannel ? 'channel' : of, tier, ended: null };
}

function endedBy(phase: Phase): Lock['ended'] {
  if (!('why' in phase)) return null;
  if (phase.why === 'preview_over') return 'preview';
  return phase.midway ? 'access' : null;
}

const LACKS: Partial<Record<BarredWhy, Lock['by']>> = {
  members_only: 'members',
  followers_only: 'followers',
  ticket_required: 'ticket',
  channel_password_required: 'password',
  password_required: 'password',
  banned: 'banned',
};
