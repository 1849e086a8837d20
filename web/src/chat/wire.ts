/** What carries frames, whichever it is: a WebSocket or a pair of data channels. */
import type { ClientFrame, ServerFrame } from './protocol';

export interface Wire {
  readonly kind: 'data' | 'socket';
  /** Says whether it was taken; a wire that is not open takes nothing. */
  send(frame: ClientFrame): boolean;
  /** Closes without telling the listener. */
  close(): void;
}

export interface WireListener {
  opened(): void;
  frame(frame: ServerFrame): void;
  /** It is gone, or never came up. Told once. */
  lost(): void;
}
