/** The way that always works: one WebSocket, from its opening to its end. */
import { parseFrames } from './protocol';
import type { Wire, WireListener } from './wire';

export function openSocket(url: string, listener: WireListener): Wire {
  let isOver = false;
  const socket = new WebSocket(url);
  const lost = () => {
    if (isOver) return;
    isOver = true;
    listener.lost();
  };
  socket.onopen = () => {
    if (!isOver) listener.opened();
  };
  socket.onmessage = ({ data }) => {
    for (const frame of parseFrames(data)) if (!isOver) listener.frame(frame);
  };
  socket.onclose = lost;
  socket.onerror = lost;
  return {
    kind: 'socket',
    send: (frame) => {
      if (isOver || socket.readyState !== WebSocket.OPEN) return false;
      socket.send(JSON.stringify(frame));
      return true;
    },
    close: () => {
      isOver = true;
      socket.close();
    },
  };
}

/** The address of a channel's room; `origin` is that of the page. */
export function socketUrl(origin: string, handle: string): string {
  return `${origin.replace(/^http/, 'ws')}/api/channels/${encodeURIComponent(handle)}/chat/ws`;
}
