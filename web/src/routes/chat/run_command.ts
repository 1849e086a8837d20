/** Carries out slash commands, and says what became of them. */
import { useCallback } from 'react';
import { chatApi } from '../../api/chat';
import { type Command, commandsFor, usageOf } from '../../chat/commands';
import type { Message } from '../../chat/protocol';
import { subjectByName, subjectOf } from '../../chat/sender';
import { minutesWords } from '../../chat/standing';
import type { ChatState } from '../../chat/state';
import { useActs } from './acts';

export function useCommands(): (command: Command, state: ChatState) => Promise<void> {
  const { handle, act, tell, selected } = useActs();
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
          break;
        case 'timeout': {
          const { who, seconds, reason } = command;
          const how = { kind: 'timeout' as const, seconds, ...(reason ? { reason } : {}) };
          await act(
            () => chatApi.restrain(handle, subject(who), how),
            `${who} is timed out for ${secondsWords(seconds)}.`,
            () => chatApi.release(handle, subject(who)),
          );
          break;
        }
        case 'ban': {
          const { who, reason } = command;
          await act(
            () => chatApi.restrain(handle, subject(who), { kind: 'ban', ...(reason ? { reason } : {}) }),
            `${who} is banned.`,
            () => chatApi.release(handle, subject(who)),
          );
          break;
        }
        case 'unban':
        case 'untimeout':
          await act(() => chatApi.release(handle, subject(command.who)), `${command.who} may write again.`);
          break;
        case 'warn':
          await act(
            () => chatApi.warn(handle, subject(command.who), command.reason),
            `${command.who} is warned.`,
          );
          break;
        case 'delete': {
          const message = lastOf(command.who);
          if (!message) tell(`Nothing of ${command.who} is here.`);
          else await act(() => chatApi.deleteMessage(handle, message.id), 'Deleted.');
          break;
        }
        case 'clear':
          await act(() => chatApi.clear(handle), 'The chat is cleared.');
          break;
        case 'pin': {
          const own = last(said, ({ from }) => from.id === state.you?.id);
          const message = selected.current ?? own;
          if (!message) tell('Select a message first, or write one.');
          else
            await act(
              () => chatApi.pin(handle, message.id),
              'Pinned.',
              () => chatApi.unpin(handle),
            );
          break;
        }
        case 'unpin':
          await act(() => chatApi.unpin(handle), 'The pinned message is taken down.');
          break;
        case 'modes':
          await act(() => chatApi.setModes(handle, command.modes), 'Changed.');
          break;
        case 'shield':
          await act(
            () => chatApi.shield(handle, command.on),
            command.on ? 'The shield is up.' : 'The shield is down.',
          );
          break;
        case 'announce':
          await act(() => chatApi.announce(handle, command.text), '');
          break;
        case 'poll': {
          const { question, options, seconds } = command;
          await act(() => chatApi.makePoll(handle, { question, options, seconds }), '');
          break;
        }
        case 'endpoll': {
          const { poll } = state;
          if (poll?.state !== 'open') tell('There is no poll to end.');
          else await act(() => chatApi.endPoll(handle, poll.id), 'The poll has ended.');
          break;
        }
        case 'raid':
          await act(
            () => chatApi.raid(handle, command.to),
            `Off to @${command.to}.`,
            () => chatApi.cancelRaid(handle),
          );
          break;
        case 'unraid':
          await act(() => chatApi.cancelRaid(handle), 'Everybody stays.');
      }
    },
    [handle, act, tell, selected],
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
