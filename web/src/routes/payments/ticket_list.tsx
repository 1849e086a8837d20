import { Ticket as Icon } from 'lucide-react';
import type { Ticket } from '../../api/payments';
import { moneyText } from '../../payments/money';
import { Button } from '../../ui/button';
import { Refusal } from './refusal';
import { useBuy } from './use_buy';
import { counted } from './words';

/** The tickets that are sold, each with its way to pay. */
export function TicketList({
  handle,
  tickets,
  titled,
}: {
  handle: string;
  tickets: readonly Ticket[];
  /** Whether other things stand above. */
  titled: boolean;
}) {
  const { buy, isBusy, error } = useBuy(handle, 'join');
  return (
    <section aria-label="Tickets" className={titled ? 'border-t border-line pt-4' : ''}>
      {titled && <h3 className="mb-1 text-sm font-semibold">Tickets</h3>}
      <ul className="divide-y divide-line">
        {tickets.map((ticket) => (
          <li key={ticket.id} className="flex flex-wrap items-center gap-x-4 gap-y-2 py-3">
            <Icon aria-hidden size={18} className="shrink-0 text-ink-3" />
            <div className="min-w-0 flex-1">
              <p className="text-sm font-medium break-words">{ticket.name}</p>
              <p className="text-sm text-ink-3">
                {counted(ticket.streams.length, 'stream')}, {moneyText(ticket.price)} once
              </p>
            </div>
            <Button
              size="sm"
              disabled={isBusy}
              aria-label={`Buy the ticket ${ticket.name} for ${moneyText(ticket.price)}`}
              onClick={() => buy({ kind: 'ticket', offer: ticket.id })}
            >
              Buy
            </Button>
          </li>
        ))}
      </ul>
      <Refusal error={error} />
    </section>
  );
}
