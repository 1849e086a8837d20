/** The messages of a room with all that can be done with them. */
import { useCallback } from 'react';
import { chatApi } from '../../api/chat';
import type { Row } from '../../chat/rows';
import { subjectOf } from '../../chat/sender';
import type { ChatState } from '../../chat/state';
import { useActs } from './acts';
import { GiftTools } from './gift_tools';
import { List } from './list';
import { MessageTools } from './message_tools';

export function RoomList({ state }: { state: ChatState }) {
  const { chat, handle, act, reply, showCard, selected, insert, toEnd } = useActs();
  const { rows, you, emotes, link } = state;
  const named = useCallback(
    ({ message }: Row) => {
      if (chat.store.get().you?.may_moderate) showCard(subjectOf(message.from));
      else insert.current(`@${message.from.name} `);
    },
    [chat, showCard, insert],
  );
  const again = useCallback((key: string) => chat.tryAgain(key), [chat]);
  const discard = useCallback((key: string) => chat.discard(key), [chat]);
  const keys = ({ message, state: said }: Row, element: HTMLElement) => {
    // What the server has not taken cannot be answered, pinned or deleted there.
    if (said === 'sending' || said === 'failed') return { leave: () => insert.current('') };
    const moderates = you?.may_moderate === true;
    const mine = message.from.id === you?.id;
    return {
      reply: you?.may_write ? () => reply(message) : null,
      pin: moderates ? () => void act(() => chatApi.pin(handle, message.id), 'Pinned.') : null,
      restrain: moderates ? () => element.querySelector<HTMLElement>('[data-restrain]')?.click() : null,
      remove:
        moderates || mine
          ? () => void act(() => chatApi.deleteMessage(handle, message.id), 'Deleted.')
          : null,
      leave: () => insert.current(''),
    };
  };
  return (
    <List
      rows={rows}
      handle={handle}
      emotes={emotes}
      own={you?.name ?? null}
      empty={link.name === 'open' ? 'Nothing said yet. Say hello.' : ''}
      timeWords={clockWords}
      onTop={() => void chat.loadOlder()}
      onPoint={(row) => {
        selected.current = row?.message ?? null;
      }}
      end={toEnd}
      onName={named}
      onTryAgain={again}
      onDiscard={discard}
      keys={keys}
      // Nothing for others, which then are not drawn anew.
      under={({ message }) =>
        you && message.support?.claim ? <GiftTools message={message} handle={handle} you={you} /> : null
      }
      tools={({ message }, hold) => you && <MessageTools message={message} you={you} onHold={hold} />}
    />
  );
}

function clockWords({ message }: Row): string {
  return new Date(message.at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
}
