/**
 * The way beside the picture: the data channels of a session that somebody else owns. They end with it,
 * and are never closed from here before they served.
 */
import { type ClientFrame, parseFrames } from './protocol';
import type { Wire, WireListener } from './wire';

/** What a session hands out. */
export interface ChannelPair {
  chat: RTCDataChannel;
  /** Where a lost one holds up nothing. */
  reactions: RTCDataChannel | null;
}

export function openChannel({ chat, reactions }: ChannelPair, listener: WireListener): Wire {
  let isOver = false;
  const lost = () => {
    if (isOver) return;
    isOver = true;
    listener.lost();
  };
  const read = ({ data }: MessageEvent) => {
    for (const frame of parseFrames(data)) if (!isOver) listener.frame(frame);
  };
  const opened = () => {
    if (!isOver) listener.opened();
  };
  chat.onmessage = read;
  chat.onclose = lost;
  chat.onerror = lost;
  chat.onopen = opened;
  if (reactions) reactions.onmessage = read;
  // The caller has the wire before it hears of it.
  if (chat.readyState === 'open') queueMicrotask(opened);
  else if (chat.readyState !== 'connecting') queueMicrotask(lost);
  return {
    kind: 'data',
    send: (frame) => !isOver && write(wayOf(frame, chat, reactions), frame),
    close: () => {
      isOver = true;
      chat.close();
      reactions?.close();
    },
  };
}

function wayOf(frame: ClientFrame, chat: RTCDataChannel, reactions: RTCDataChannel | null): RTCDataChannel {
  return frame.type === 'react' && reactions?.readyState === 'open' ? reactions : chat;
}

function write(way: RTCDataChannel, frame: ClientFrame): boolean {
  if (way.readyState !== 'open') return false;
  try {
    way.send(JSON.stringify(frame));
    return true;
  } catch {
    // Its buffer is full, or it closes in this moment: what is answered by nothing is sent again.
    return false;
  }
}
