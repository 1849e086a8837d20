/** Carries out slash commands, and says what became of them: whether they were. */
import { useCallback } from 'react';
import { chatApi } from '../../api/chat';
import { type Command, commandsFor, usageOf } from '../../chat/commands';
import type { Message } from '../../chat/protocol';
import { subjectByName, subjectOf } from '../../chat/sender';
import { minutesWords } from '../../chat/standing';
import type { ChatState } from '../../chat/state';
import { useActs } from './acts';

export function useCommands(): (command: Command, state: ChatState) => Promise<boolean> {
  const { handle, act, tell, selected, askToClear, toEnd } = useActs();
  const refuse = useCallback(
    (words: string) => {
      tell(words);
      return false;
    },
    [tell],
  );
  return useCallback(
    async (command, state) => {
      const said = state.rows.filter((row) => row.state === 'said').map(({ message }) => message);
      const subject = (who: string) =>
        subjectByName(
          who,
          said.map(({ from }) => from),
        );
      const lastOf = (who: string) => last(said, ({ from }) => subjectOf(from) === subject(who));
      switch (command.name) {
        case 'help':
          tell('What you can type:', { lines: helpLines(state) });
          return true;
        case 'timeout': {
          const { who, seconds, reason } = command;
          const how = { kind: 'timeout' as const, seconds, ...(reason ? { reason } : {}) };
          return await act(
            () => chatApi.restrain(handle, subject(who), how),
            `${who} is timed out for ${secondsWords(seconds)}.`,
            () => chatApi.release(handle, subject(who)),
          );
        }
        case 'ban': {
          const { who, reason } = command;
          return await act(
            () => chatApi.restrain(handle, subject(who), { kind: 'ban', ...(reason ? { reason } : {}) }),
            `${who} is banned.`,
            () => chatApi.release(handle, subject(who)),
          );
        }
        case 'unban':
        case 'untimeout':
          return await act(
            () => chatApi.release(handle, subject(command.who)),
            `${command.who} may write again.`,
          );
        case 'warn':
          return await act(
            () => chatApi.warn(handle, subject(command.who), command.reason),
            `${command.who} is warned.`,
          );
        case 'delete': {
          const message = lastOf(command.who);
          if (!message) return refuse(`Nothing of ${command.who} is here.`);
          return await act(() => chatApi.deleteMessage(handle, message.id), 'Deleted.');
        }
        case 'clear':
          askToClear(true);
          return true;
        case 'pin': {
          const own = last(said, ({ from }) => from.id === state.you?.id);
          const message = selected.current ?? own;
          if (!message) return refuse('Select a message first, or write one.');
          return await act(
            () => chatApi.pin(handle, message.id),
            'Pinned.',
            () => chatApi.unpin(handle),
          );
        }
        case 'unpin':
          return await act(() => chatApi.unpin(handle), 'The pinned message is taken down.');
        case 'modes':
          return await act(() => chatApi.setModes(handle, command.modes), 'Changed.');
        case 'shield':
          return await act(
            () => chatApi.shield(handle, command.on),
            command.on ? 'The shield is up.' : 'The shield is down.',
          );
        case 'announce': {
          const announced = await act(() => chatApi.announce(handle, command.text), '');
          if (announced) toEnd.current();
          return announced;
        }
        case 'poll': {
          const { question, options, seconds } = command;
          return await act(() => chatApi.makePoll(handle, { question, options, seconds }), '');
        }
        case 'endpoll': {
          const { poll } = state;
          if (poll?.state !== 'open') return refuse('There is no poll to end.');
          return await act(() => chatApi.endPoll(handle, poll.id), 'The poll has ended.');
        }
        case 'raid':
          return await act(
            () => chatApi.raid(handle, command.to),
            `Off to @${command.to}.`,
            () => chatApi.cancelRaid(handle),
          );
        case 'unraid':
          return await act(() => chatApi.cancelRaid(handle), 'Everybody stays.');
      }
    },
    [handle, act, tell, refuse, selected, askToClear, toEnd],
  );
}

function last(messages: readonly Message[], fits: (message: Message) => boolean): Message | undefined {
  return messages.findLast(fits);
}

function helpLines({ you }: ChatState): string[] {
  return commandsFor(you).map((spec) => `${usageOf(spec)} – ${spec.does}`);
}

function secondsWords(seconds: number): string {
  return seconds < 60 || seconds % 60 > 0
    ? `${seconds} ${seconds === 1 ? 'second' : 'seconds'}`
    : minutesWords(seconds / 60);
}
