/** A channel's chat as it stands beside a picture, in a window of its own, or in an OBS dock. */
import { ExternalLink, PanelRightClose } from 'lucide-react';
import { lazy, type ReactNode, Suspense, useState } from 'react';
import type { Chat } from '../../chat/chat';
import type { ChatState } from '../../chat/state';
import { useRenewedOffers } from '../payments/use_payments';
import { ChatActs, useActs } from './acts';
import { Announcer } from './announcer';
import { Cards } from './cards';
import { Foot } from './foot';
import { HEAD_BUTTON } from './head_button';
import { JoinFor } from './join_for';
import { LinkNotice } from './link_notice';
import { PollNews } from './poll_card';
import { Questions } from './questions';
import { RoomList } from './room_list';
import SettingsMenu from './settings_menu';
import { useChatState } from './use_chat';

/** For moderators alone. */
const ModBar = lazy(() => import('../moderation/bar'));
const Queue = lazy(() => import('../moderation/queue'));
const CardDialog = lazy(() => import('../moderation/card_dialog'));
const ClearDialog = lazy(() => import('./clear_dialog'));

type Tab = 'chat' | 'questions' | 'queue';

interface PanelProps {
  chat: Chat;
  /** With a way to put it away. */
  onClose?: (() => void) | undefined;
  /** With a way into a window of its own. */
  popOut?: boolean;
  /** With reactions, because a picture is near. */
  reactions?: boolean;
  /** A raid takes this page along. */
  follows?: boolean;
  /** What waits is shown elsewhere on this page. */
  noQueue?: boolean;
  /** What stands beside the tabs. */
  aside?: ReactNode;
  className?: string;
}

export default function ChatPanel(props: PanelProps) {
  return (
    <ChatActs chat={props.chat}>
      <Panel {...props} />
    </ChatActs>
  );
}

/** The same for a page that has its own `ChatActs`. */
export function Panel({
  chat,
  onClose,
  popOut = false,
  reactions = false,
  follows = false,
  noQueue = false,
  aside = null,
  className = '',
}: PanelProps) {
  const state = useChatState(chat);
  useRenewedOffers(chat.handle, state.renewals);
  const [tab, setTab] = useState<Tab>('chat');
  const { card, showCard, clearing, askToClear, wantedTier, wantTier } = useActs();
  const moderates = state.you?.may_moderate === true;
  const shown = tab === 'queue' && (!moderates || noQueue) ? 'chat' : tab;
  return (
    <section aria-label="Chat" className={`flex min-h-0 min-w-0 flex-col bg-surface-1 ${className}`}>
      <header className="flex min-h-12 items-center gap-0.5 border-b border-line pr-1.5 pl-2">
        <Tabs tab={shown} state={state} withQueue={moderates && !noQueue} onTab={setTab} />
        <div className="ml-auto flex items-center">
          {aside}
          <SettingsMenu />
          {popOut && (
            <button
              type="button"
              aria-label="Chat in a window of its own"
              title="Chat in a window of its own"
              onClick={() => {
                open(`/chat/${encodeURIComponent(chat.handle)}`, '_blank', 'popup,width=400,height=720');
              }}
              className={`${HEAD_BUTTON} max-sm:hidden`}
            >
              <ExternalLink aria-hidden size={16} />
            </button>
          )}
          {onClose && (
            <button
              type="button"
              aria-label="Hide the chat"
              title="Hide the chat"
              onClick={onClose}
              className={HEAD_BUTTON}
            >
              <PanelRightClose aria-hidden size={17} />
            </button>
          )}
        </div>
      </header>
      {moderates && (
        <Suspense fallback={<div className="h-11 border-b border-line" />}>
          <ModBar state={state} here={noQueue} />
        </Suspense>
      )}
      <LinkNotice state={state} />
      <PollNews poll={state.poll} />
      {shown === 'questions' && <Questions state={state} />}
      {shown === 'queue' && (
        <Suspense fallback={null}>
          <Queue state={state} />
        </Suspense>
      )}
      <div className={shown === 'chat' ? 'flex min-h-0 flex-1 flex-col' : 'hidden'}>
        <Cards state={state} follows={follows} />
        <div
          role="log"
          aria-label="Chat messages"
          aria-live="polite"
          className="flex min-h-0 flex-1 flex-col"
        >
          <RoomList state={state} />
          <Announcer rows={state.rows} handle={chat.handle} own={state.you?.name ?? null} />
        </div>
        <Foot state={state} reactions={reactions} />
      </div>
      {wantedTier !== null && (
        <JoinFor handle={chat.handle} least={wantedTier} onClose={() => wantTier(null)} />
      )}
      {card && moderates && (
        <Suspense fallback={null}>
          <CardDialog subject={card} onClose={() => showCard(null)} />
        </Suspense>
      )}
      {clearing && moderates && (
        <Suspense fallback={null}>
          <ClearDialog onClose={() => askToClear(false)} />
        </Suspense>
      )}
    </section>
  );
}

function Tabs({
  tab,
  state,
  withQueue,
  onTab,
}: {
  tab: Tab;
  state: ChatState;
  withQueue: boolean;
  onTab: (tab: Tab) => void;
}) {
  const open = state.questions.filter((question) => question.state === 'open').length;
  const tabs: { id: Tab; label: string; count: number }[] = [
    { id: 'chat', label: 'Chat', count: 0 },
    { id: 'questions', label: 'Questions', count: open },
    ...(withQueue ? [{ id: 'queue' as const, label: 'Queue', count: state.holds.length }] : []),
  ];
  return (
    <div className="flex min-w-0">
      {tabs.map(({ id, label, count }) => (
        <button
          key={id}
          type="button"
          aria-pressed={tab === id}
          onClick={() => onTab(id)}
          className="inline-flex min-h-11 items-center gap-1.5 rounded-control px-2 text-sm font-medium text-ink-2 hover:text-ink aria-pressed:font-semibold aria-pressed:text-ink"
        >
          {label}
          {count > 0 && (
            <span className="rounded-full bg-surface-3 px-1.5 text-xs text-ink tabular-nums">{count}</span>
          )}
        </button>
      ))}
    </div>
  );
}
