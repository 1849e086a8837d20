/** The way to the tickets of one stream; nothing where none is sold. */
import { Ticket } from 'lucide-react';
import { useState } from 'react';
import { moneyText } from '../../payments/money';
import { Button } from '../../ui/button';
import { Dialog } from '../../ui/dialog';
import { TestBadge } from './test_badge';
import { TicketList } from './ticket_list';
import { useTicketsTo } from './use_payments';

export default function GetTicket({
  handle,
  stream,
  title,
}: {
  handle: string;
  stream: string;
  /** Of the stream, where several stand beside each other. */
  title?: string;
}) {
  const tickets = useTicketsTo(handle, stream).data ?? [];
  const [open, setOpen] = useState(false);
  const [first] = tickets;
  if (!first) return null;
  const price = tickets.length === 1 ? ` · ${moneyText(first.price)}` : '';
  return (
    <>
      <Button look="primary" size="sm" aria-haspopup="dialog" onClick={() => setOpen(true)}>
        <Ticket aria-hidden size={16} />
        <span>
          Get a ticket
          {title && <span className="sr-only"> for {title}</span>}
          {price}
        </span>
      </Button>
      <Dialog open={open} onClose={() => setOpen(false)} title="Tickets">
        <div className="flex flex-col gap-4 text-ink">
          <TestBadge />
          <TicketList handle={handle} tickets={tickets} titled={false} />
        </div>
      </Dialog>
    </>
  );
}
