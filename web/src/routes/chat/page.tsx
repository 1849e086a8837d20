/** Chat without a picture: a window of its own, a dock for OBS, or an overlay for a scene. */
import { useParams, useSearch } from '@tanstack/react-router';
import { useTitle } from '../title';
import { useChannel } from '../watch/use_channel';
import { Overlay } from './overlay';
import ChatPanel from './panel';
import { useChat } from './use_chat';

export function ChatPage() {
  const { handle } = useParams({ from: '/chat/$handle' });
  const { dock, overlay, fade } = useSearch({ from: '/chat/$handle' });
  return overlay ? (
    <Overlay key={handle} handle={handle} fadeS={fade ?? null} />
  ) : (
    <Window key={handle} handle={handle} dock={dock === true} />
  );
}

/** A dock is dark as OBS is, and has no room to spare. */
function Window({ handle, dock }: { handle: string; dock: boolean }) {
  const chat = useChat(handle);
  const name = useChannel(handle).data?.name ?? handle;
  useTitle(`Chat of ${name}`);
  return (
    <main id="main" className={`flex h-dvh flex-col text-ink ${dock ? 'on-video text-sm' : ''}`}>
      <h1 className="sr-only">Chat of {name}</h1>
      <ChatPanel chat={chat} reactions={!dock} className="h-full" />
    </main>
  );
}
