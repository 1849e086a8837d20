/** A channel's room for a page: it is joined while the page is there, and follows the page's picture. */
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useState, useSyncExternalStore } from 'react';
import { chatApi } from '../../api/chat';
import { Chat } from '../../chat/chat';
import { preferences } from '../../chat/preferences';
import type { Player } from '../../player/player';
import { sessionQuery } from '../account';

/** `on` is false where one may not come in. */
export function useChat(handle: string, player: Player | null = null, on = true): Chat {
  const queries = useQueryClient();
  const [chat] = useState(
    () =>
      new Chat({
        handle,
        origin: location.origin,
        token: async () => {
          const account = await queries.ensureQueryData(sessionQuery);
          return account ? (await chatApi.token(handle)).token : null;
        },
        older: async (before) => {
          const { items, next_before } = await chatApi.messages(handle, before);
          return { items, hasMore: next_before !== null };
        },
      }),
  );
  useEffect(() => {
    if (!player) return;
    chat.follow(() => player.rewind.shown());
    const offer = () => chat.offer(player.store.get().data);
    offer();
    return player.store.subscribe(offer);
  }, [chat, player]);
  useEffect(() => {
    if (!on) return;
    chat.start();
    return () => chat.stop();
  }, [chat, on]);
  return chat;
}

export function useChatState(chat: Chat) {
  return useSyncExternalStore(chat.store.subscribe, chat.store.get);
}

export function usePreferences() {
  return useSyncExternalStore(preferences.subscribe, preferences.get);
}
