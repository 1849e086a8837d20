/** Tickets to streams: those on sale, and selling more. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { fieldError } from '../../../api/client';
import { shopApi, type Ticket } from '../../../api/payments';
import type { Stream } from '../../../api/streams';
import { moneyText, readAmount } from '../../../payments/money';
import { Button } from '../../../ui/button';
import { Card } from '../../../ui/card';
import { TextField } from '../../../ui/field';
import { Notice } from '../../../ui/notice';
import { Pill } from '../../../ui/pill';
import { Ask, type Question } from '../../admin/ask';
import { Reading } from '../../asking';
import { NoAnswer } from '../../no_answer';
import { Refusal } from '../../payments/refusal';
import { offersKey } from '../../payments/use_payments';
import { counted } from '../../payments/words';
import { usePast, useSchedule } from '../../streams/use_streams';
import { whenWords } from '../../streams/words';
import { moneyKey } from './use_shop';

export function TicketsCard({ handle, currency }: { handle: string; currency: string }) {
  const query = useQuery({
    queryKey: [...moneyKey(handle), 'tickets'],
    queryFn: () => shopApi.tickets(handle),
  });
  const again = useChanged(handle);
  const [question, setQuestion] = useState<Question | null>(null);
  const items = query.data?.items ?? [];
  const stop = (ticket: Ticket): Question => ({
    title: `Stop selling ${ticket.name}?`,
    words: 'Nobody can buy it any more. Whoever has one keeps it.',
    act: 'Stop selling',
    run: () => shopApi.withdrawTicket(handle, ticket.id).then(again),
  });
  return (
    <>
      <Card title="Tickets">
        {!query.data && !query.error && <Reading />}
        {query.error && <NoAnswer reason={query.error.message} onRetry={() => void query.refetch()} />}
        {query.data && items.length === 0 && (
          <p className="text-sm text-ink-2">
            You sell no tickets. A ticket is paid once and lets somebody into the streams that you choose, and
            into their recordings.
          </p>
        )}
        <ul className="divide-y divide-line">
          {items.map((ticket) => (
            <li
              key={ticket.id}
              className="flex flex-wrap items-center gap-x-4 gap-y-2 py-3 first:pt-0 last:pb-0"
            >
              <div className="min-w-0 flex-1 basis-56">
                <p className="flex flex-wrap items-center gap-2 text-sm font-medium break-words">
                  {ticket.name}
                  {!ticket.is_offered && <Pill tone="neutral">Not sold any more</Pill>}
                </p>
                <p className="text-sm text-ink-3 tabular-nums">
                  {moneyText(ticket.price)} for {counted(ticket.streams.length, 'stream')}
                </p>
              </div>
              {ticket.is_offered && (
                <Button
                  size="sm"
                  aria-label={`Stop selling ${ticket.name}`}
                  onClick={() => setQuestion(stop(ticket))}
                >
                  Stop selling
                </Button>
              )}
            </li>
          ))}
        </ul>
      </Card>
      <NewTicket handle={handle} currency={currency} />
      <Ask question={question} onClose={() => setQuestion(null)} />
    </>
  );
}

function useChanged(handle: string) {
  const queries = useQueryClient();
  return () =>
    Promise.all([
      queries.invalidateQueries({ queryKey: [...moneyKey(handle), 'tickets'] }),
      queries.invalidateQueries({ queryKey: offersKey(handle) }),
    ]);
}

function NewTicket({ handle, currency }: { handle: string; currency: string }) {
  const [name, setName] = useState('');
  const [price, setPrice] = useState('');
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [isWrong, setWrong] = useState(false);
  const again = useChanged(handle);
  const sell = useMutation({
    mutationFn: (amount: number) =>
      shopApi.sellTicket(handle, { name: name.trim(), amount, streams: [...chosen] }),
    onSuccess: () => {
      setName('');
      setPrice('');
      setChosen(new Set());
      return again();
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const amount = readAmount(price, currency);
    setWrong(amount === null);
    if (amount !== null) sell.mutate(amount);
  };
  const error = sell.error;
  const inField = ['name', 'amount', 'streams'].some((field) => fieldError(error, field));
  return (
    <Card title="Sell a ticket">
      <form className="flex flex-col gap-5" onSubmit={submit}>
        <TextField
          label="Name"
          value={name}
          required
          maxLength={100}
          placeholder="Concert on Saturday"
          error={fieldError(error, 'name')}
          onChange={(event) => setName(event.target.value)}
        />
        <TextField
          label={`Price (${currency.toUpperCase()})`}
          value={price}
          required
          inputMode="decimal"
          autoComplete="off"
          error={isWrong ? 'An amount such as 5.' : fieldError(error, 'amount')}
          onChange={(event) => {
            setPrice(event.target.value);
            setWrong(false);
          }}
        />
        <Streams handle={handle} chosen={chosen} onChange={setChosen} />
        {fieldError(error, 'streams') && (
          <Notice title="Choose the streams anew">{fieldError(error, 'streams')}</Notice>
        )}
        {!inField && <Refusal error={error} />}
        <div className="flex flex-wrap items-center justify-end gap-3">
          <span role="status" className="text-sm text-ink-2">
            {sell.isSuccess && 'It is on sale now, on your page.'}
          </span>
          <Button type="submit" look="primary" disabled={sell.isPending || name === '' || chosen.size === 0}>
            {sell.isPending ? 'Saving' : 'Put it on sale'}
          </Button>
        </div>
      </form>
    </Card>
  );
}

/** What is planned, and what was of late: its recording can be sold as well. */
function Streams({
  handle,
  chosen,
  onChange,
}: {
  handle: string;
  chosen: ReadonlySet<string>;
  onChange: (chosen: ReadonlySet<string>) => void;
}) {
  const planned = useSchedule(handle).data?.items;
  const past = usePast(handle);
  const streams = [...(planned ?? []), ...past.items.slice(0, MOST_PAST)];
  const flip = (id: string) => {
    const next = new Set(chosen);
    if (!next.delete(id)) next.add(id);
    onChange(next);
  };
  return (
    <fieldset>
      <legend className="mb-1.5 text-sm font-medium">It lets people into</legend>
      {!planned && <Reading />}
      {planned && streams.length === 0 && (
        <p className="text-sm text-ink-2">
          There are no streams yet. Plan one under Schedule, and then sell a ticket to it here.
        </p>
      )}
      <ul className="max-h-80 divide-y divide-line overflow-y-auto rounded-control border border-line empty:hidden">
        {streams.map((stream) => (
          <li key={stream.id}>
            <label className="flex min-h-11 cursor-pointer items-center gap-3 px-3 py-2 hover:bg-surface-2">
              <input
                type="checkbox"
                checked={chosen.has(stream.id)}
                onChange={() => flip(stream.id)}
                className="size-4 shrink-0 accent-ink"
              />
              <span className="min-w-0 text-sm">
                <span className="block font-medium break-words">{stream.title || 'Without a title'}</span>
                <span className="block text-ink-3">{timeOf(stream)}</span>
              </span>
            </label>
          </li>
        ))}
      </ul>
    </fieldset>
  );
}

const MOST_PAST = 20;

function timeOf({ started_at, scheduled_at, ended_at }: Stream): string {
  const at = started_at ?? scheduled_at;
  if (!at) return 'without a time';
  return ended_at ? `was on ${whenWords(at)}` : `planned for ${whenWords(at)}`;
}
