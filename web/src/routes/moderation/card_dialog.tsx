/** All that a moderator should know of somebody, and may do. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Gavel, TriangleAlert } from 'lucide-react';
import { useState } from 'react';
import { chatApi, type UserCard } from '../../api/chat';
import { saidText } from '../../chat/spoken';
import type { ChatState } from '../../chat/state';
import { Button, buttonClass } from '../../ui/button';
import { Dialog } from '../../ui/dialog';
import { Notice } from '../../ui/notice';
import { TextArea } from '../../ui/text_area';
import { ago, COUNT } from '../../ui/time';
import { useActs } from '../chat/acts';
import { RestrainMenu } from '../chat/restrain_menu';
import { actionWords } from './words';

export default function CardDialog({ subject, onClose }: { subject: string; onClose: () => void }) {
  const { chat, handle, act } = useActs();
  const queries = useQueryClient();
  const queryKey = ['chat', handle, 'user', subject];
  const query = useQuery({ queryKey, queryFn: () => chatApi.user(handle, subject) });
  const card = query.data;
  const name = card?.name ?? nameOf(chat.store.get(), subject) ?? 'Somebody';
  return (
    <Dialog open onClose={onClose} title={name}>
      {query.error && <Notice title="Nothing could be found out">{query.error.message}</Notice>}
      {card && (
        <div className="flex flex-col gap-5">
          <Facts card={card} />
          <div className="flex flex-wrap gap-2">
            {card.restraint && (
              <Button
                size="sm"
                onClick={async () => {
                  await act(() => chatApi.release(handle, subject), `${name} may write again.`);
                  await queries.invalidateQueries({ queryKey });
                }}
              >
                {card.restraint.kind === 'ban' ? 'Unban' : 'End the time-out'}
              </Button>
            )}
            <RestrainMenu
              subject={subject}
              name={name}
              look={buttonClass('secondary', 'sm')}
              trigger={
                <>
                  <Gavel aria-hidden size={15} /> Time out or ban
                </>
              }
            />
            <WarnButton subject={subject} name={name} />
          </div>
          <Notes key={card.notes} subject={subject} kept={card.notes} />
          <Recent card={card} />
        </div>
      )}
    </Dialog>
  );
}

/** What is called so in the room, until the card is here. */
function nameOf({ rows, holds }: ChatState, subject: string): string | undefined {
  const said = rows.findLast(({ message }) => message.from.id === subject)?.message;
  return (said ?? holds.find(({ from }) => from.id === subject))?.from.name;
}

function Facts({ card }: { card: UserCard }) {
  const now = Date.now();
  const facts: [string, string][] = [
    ['Account', card.account_created_at ? `made ${ago(card.account_created_at, now)}` : 'none, a guest'],
    ['Follows', card.follows_since ? `since ${ago(card.follows_since, now)}` : 'no'],
    ['Messages here', COUNT.format(card.messages)],
  ];
  const { restraint } = card;
  return (
    <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1">
      {facts.map(([term, fact]) => (
        <div key={term} className="col-span-2 grid grid-cols-subgrid">
          <dt className="text-ink-3">{term}</dt>
          <dd className="text-ink">{fact}</dd>
        </div>
      ))}
      {restraint && (
        <div className="col-span-2 grid grid-cols-subgrid">
          <dt className="text-ink-3">Now</dt>
          <dd className="font-semibold text-warn-text">
            {restraint.kind === 'ban' ? 'Banned' : `Timed out until ${timeWords(restraint.until)}`}
            {restraint.reason && `: ${restraint.reason}`}
          </dd>
        </div>
      )}
    </dl>
  );
}

const timeWords = (at: string | null | undefined): string =>
  at == null ? 'further notice' : new Date(at).toLocaleString([], { dateStyle: 'short', timeStyle: 'short' });

function WarnButton({ subject, name }: { subject: string; name: string }) {
  const { handle, act } = useActs();
  const [reason, setReason] = useState<string | null>(null);
  if (reason === null) {
    return (
      <Button size="sm" onClick={() => setReason('')}>
        <TriangleAlert aria-hidden size={15} /> Warn
      </Button>
    );
  }
  return (
    <form
      className="flex w-full gap-2"
      onSubmit={async (event) => {
        event.preventDefault();
        const told = await act(() => chatApi.warn(handle, subject, reason.trim()), `${name} is warned.`);
        if (told) setReason(null);
      }}
    >
      <input
        aria-label="What to leave"
        placeholder="What to leave"
        value={reason}
        maxLength={200}
        onChange={({ target }) => setReason(target.value)}
        className="min-h-9 min-w-0 flex-1 rounded-control border border-line-strong/60 bg-surface-0 px-3 text-base text-ink sm:text-sm"
      />
      <Button type="submit" size="sm" disabled={reason.trim() === ''}>
        Tell {name}
      </Button>
    </form>
  );
}

function Notes({ subject, kept }: { subject: string; kept: string }) {
  const { handle } = useActs();
  const [text, setText] = useState(kept ?? '');
  const save = useMutation({ mutationFn: () => chatApi.setNotes(handle, subject, text.trim()) });
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        save.mutate();
      }}
    >
      <TextArea
        label="Notes, for moderators"
        rows={2}
        maxLength={2000}
        value={text}
        onChange={({ target }) => setText(target.value)}
      />
      <div className="mt-2 flex items-center justify-end gap-3">
        <span role="status" className="text-sm">
          {save.isSuccess && 'Saved'}
          {save.error?.message}
        </span>
        <Button type="submit" size="sm" disabled={save.isPending || text === (kept ?? '')}>
          Save notes
        </Button>
      </div>
    </form>
  );
}

function Recent({ card: { actions, recent } }: { card: UserCard }) {
  const now = Date.now();
  return (
    <>
      {actions.length > 0 && (
        <section aria-label="What was done before">
          <h3 className="mb-1 font-semibold text-ink">What was done before</h3>
          <ul className="flex flex-col gap-1">
            {actions.map((action) => (
              <li key={action.id}>
                {actionWords(action)} <span className="text-ink-3">{ago(action.at, now)}</span>
              </li>
            ))}
          </ul>
        </section>
      )}
      <section aria-label="Last messages">
        <h3 className="mb-1 font-semibold text-ink">Last messages</h3>
        {recent.length === 0 && <p>None.</p>}
        <ul className="flex max-h-48 flex-col gap-1 overflow-y-auto">
          {recent.map((message) => (
            <li key={message.id} className="break-words [overflow-wrap:anywhere]">
              <span className="text-ink-3">{ago(message.at, now)}</span> <bdi>{saidText(message)}</bdi>
            </li>
          ))}
        </ul>
      </section>
    </>
  );
}
