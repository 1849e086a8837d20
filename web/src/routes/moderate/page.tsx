/** The moderator's view: the picture without sound, the chat, what waits, and what was done. */
import { useParams } from '@tanstack/react-router';
import { EyeOff, Video } from 'lucide-react';
import { type ReactNode, useEffect, useState, useSyncExternalStore } from 'react';
import { playerFor } from '../../early';
import type { Player } from '../../player/player';
import { Button } from '../../ui/button';
import { useRequiredAccount } from '../account';
import { ChatActs } from '../chat/acts';
import { Panel } from '../chat/panel';
import { useChat, useChatState } from '../chat/use_chat';
import { Frame } from '../frame';
import { ActionLog } from '../moderation/action_log';
import Queue from '../moderation/queue';
import { RestrainedList } from '../moderation/restrained_list';
import { TermsEditor } from '../moderation/terms_editor';
import { PictureArea } from '../picture/screen_parts';
import { useTitle } from '../title';
import { useChannel } from '../watch/use_channel';

export function ModeratePage() {
  const { handle } = useParams({ from: '/moderate/$handle' });
  const account = useRequiredAccount().data;
  return account ? <Moderate key={handle} handle={handle} /> : <Frame>{null}</Frame>;
}

const PANES = [
  { id: 'chat', label: 'Chat' },
  { id: 'queue', label: 'Queue' },
  { id: 'log', label: 'Log' },
  { id: 'people', label: 'People' },
  { id: 'terms', label: 'Words' },
] as const;
type Pane = (typeof PANES)[number]['id'];

function Moderate({ handle }: { handle: string }) {
  const [player] = useState(() => playerFor(handle));
  const [withPicture, setWithPicture] = useState(true);
  const chat = useChat(handle, withPicture ? player : null);
  const state = useChatState(chat);
  const name = useChannel(handle).data?.name ?? handle;
  const [pane, setPane] = useState<Pane>('chat');
  const [side, setSide] = useState<Exclude<Pane, 'chat'>>('queue');
  const wide = useWide();
  useTitle(`Moderating ${name}`);
  if (state.you && !state.you.may_moderate) {
    return (
      <Frame>
        <p className="m-auto max-w-md p-8 text-center text-ink-2">
          Only the owner and moderators of @{handle} can moderate here.
        </p>
      </Frame>
    );
  }
  const rest: Record<Exclude<Pane, 'chat'>, ReactNode> = {
    queue: <Queue state={state} />,
    log: <ActionLog />,
    people: (
      <Scrolled>
        <RestrainedList handle={handle} />
      </Scrolled>
    ),
    terms: (
      <Scrolled>
        <TermsEditor handle={handle} />
      </Scrolled>
    ),
  };
  const chatPane = <Panel chat={chat} noQueue className="h-full rounded-card border border-line" />;
  return (
    <Frame>
      <ChatActs chat={chat}>
        <div className="flex h-[calc(100dvh-3.5rem)] min-h-96 flex-col gap-3 p-3">
          <div className="flex items-center gap-3">
            <h1 className="min-w-0 flex-1 truncate text-lg font-semibold">Moderating {name}</h1>
            <Button size="sm" aria-pressed={withPicture} onClick={() => setWithPicture(!withPicture)}>
              {withPicture ? <EyeOff aria-hidden size={15} /> : <Video aria-hidden size={15} />}
              {withPicture ? 'Hide the video' : 'Show the video'}
            </Button>
          </div>
          {wide ? (
            <div className="grid min-h-0 flex-1 grid-cols-[minmax(0,1fr)_minmax(20rem,26rem)_minmax(18rem,24rem)] gap-3">
              <div className="flex min-h-0 flex-col gap-3">
                {withPicture && <Picture player={player} />}
                <Box label="Log">
                  <h2 className="border-b border-line px-3 py-3 text-sm font-semibold">Log</h2>
                  {rest.log}
                </Box>
              </div>
              {chatPane}
              <Box label="Queue, people and words">
                <PaneTabs
                  panes={['queue', 'people', 'terms']}
                  chosen={side}
                  onChoose={setSide}
                  waiting={state.holds.length}
                />
                {rest[side]}
              </Box>
            </div>
          ) : (
            <>
              {withPicture && <Picture player={player} />}
              <PaneTabs
                panes={PANES.map(({ id }) => id)}
                chosen={pane}
                onChoose={setPane}
                waiting={state.holds.length}
              />
              <div className="flex min-h-0 flex-1 flex-col">{pane === 'chat' ? chatPane : rest[pane]}</div>
            </>
          )}
        </div>
      </ChatActs>
    </Frame>
  );
}

function PaneTabs<P extends Pane>({
  panes,
  chosen,
  onChoose,
  waiting,
}: {
  panes: readonly P[];
  chosen: P;
  onChoose: (pane: P) => void;
  waiting: number;
}) {
  return (
    <nav aria-label="Panes" className="flex shrink-0 gap-1 overflow-x-auto border-b border-line">
      {panes.map((id) => (
        <button
          key={id}
          type="button"
          aria-pressed={chosen === id}
          onClick={() => onChoose(id)}
          className="-mb-px min-h-11 shrink-0 border-b-2 border-transparent px-3 text-sm font-medium text-ink-2 hover:text-ink aria-pressed:border-accent aria-pressed:text-ink"
        >
          {PANES.find((pane) => pane.id === id)?.label}
          {id === 'queue' && waiting > 0 && ` ${waiting}`}
        </button>
      ))}
    </nav>
  );
}

const Scrolled = ({ children }: { children: ReactNode }) => (
  <div className="min-h-0 flex-1 overflow-y-auto p-3">{children}</div>
);

function Box({ label, children }: { label: string; children: ReactNode }) {
  return (
    <section
      aria-label={label}
      className="flex min-h-0 flex-1 flex-col overflow-hidden rounded-card border border-line bg-surface-1"
    >
      {children}
    </section>
  );
}

/** Without sound: who moderates reads. */
function Picture({ player }: { player: Player }) {
  const { phase } = useSyncExternalStore(player.store.subscribe, player.store.get);
  useEffect(() => {
    player.start();
    return () => player.stop();
  }, [player]);
  const nothing = () => undefined;
  return (
    <section
      aria-label="Video, without sound"
      className="on-video relative aspect-video max-h-[40dvh] w-full shrink-0 overflow-hidden rounded-card bg-black text-ink"
    >
      <PictureArea
        screen={player.screen}
        dimmed={phase.name !== 'live'}
        idle={false}
        wake={nothing}
        togglePlay={nothing}
        toggleFullScreen={nothing}
      />
      {phase.name !== 'live' && (
        <p className="absolute inset-0 flex items-center justify-center text-sm text-ink-2">
          {phase.name === 'connecting' || phase.name === 'reconnecting' ? 'Connecting' : 'Nothing on air'}
        </p>
      )}
    </section>
  );
}

function useWide(): boolean {
  const [query] = useState(() => matchMedia('(min-width: 64rem)'));
  const [wide, setWide] = useState(query.matches);
  useEffect(() => {
    const changed = () => setWide(query.matches);
    query.addEventListener('change', changed);
    return () => query.removeEventListener('change', changed);
  }, [query]);
  return wide;
}
