/** Who may watch a stream or a recording, and how long everybody else has a free look. */
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { fieldError } from '../../api/client';
import { choices, type GateForm, previewChoices } from '../../gates/form';
import { audienceText, lookText } from '../../gates/words';
import { SelectField, TextField } from '../../ui/field';
import { link } from '../payments/looks';
import { useOffers, usePayments, useTicketsTo } from '../payments/use_payments';
import { tierName } from '../payments/words';

export function GatePicker({
  handle,
  stream,
  form,
  onChange,
  error,
  hasPassword,
  asStream,
}: {
  handle: string;
  /** Of which the tickets are sold; `null` while it is not made. */
  stream: string | null;
  form: GateForm;
  onChange: (form: GateForm) => void;
  /** Of the last attempt to save it. */
  error: Error | null;
  /** There is one already, which stays where none is given. */
  hasPassword: boolean;
  /** For a recording: who may watch when it has no gate of its own. */
  asStream?: string;
}) {
  const { who } = form;
  const hasPayments = usePayments() !== 'off';
  const change = (patch: Partial<GateForm>) => onChange({ ...form, ...patch });
  const isAlone = who === 'everyone' || (asStream !== undefined && who !== 'members');
  const wrong = fieldError(error, 'gate.who') ?? fieldError(error, 'preview_seconds');
  return (
    <div className="flex flex-col gap-4">
      <div className={`grid gap-4 ${isAlone ? '' : 'sm:grid-cols-2'}`}>
        <SelectField
          label="Who may watch"
          value={who}
          onChange={(event) => change({ who: event.target.value as GateForm['who'] })}
        >
          {asStream !== undefined && (
            <option value="as_stream">As its stream{asStream && `: ${asStream}`}</option>
          )}
          {choices(hasPayments, who).map((each) => (
            <option key={each} value={each}>
              {audienceText({ who: each })}
            </option>
          ))}
        </SelectField>
        {who === 'members' && (
          <TierSelect handle={handle} tier={form.tier} onChange={(tier) => change({ tier })} />
        )}
        {asStream === undefined && who !== 'everyone' && (
          <SelectField
            label="Free preview"
            hint="Everybody may watch for so long."
            value={form.previewSeconds}
            onChange={(event) => change({ previewSeconds: Number(event.target.value) })}
          >
            {previewChoices(form.previewSeconds).map((seconds) => (
              <option key={seconds} value={seconds}>
                {seconds === 0 ? 'None' : lookText(seconds)}
              </option>
            ))}
          </SelectField>
        )}
      </div>
      {who === 'password' && (
        <TextField
          label={hasPassword ? 'New password for viewers' : 'Password for viewers'}
          hint={
            hasPassword
              ? 'Left empty, the present one stays. With another, everybody has to give it anew.'
              : 'At least 4 characters. Nobody can read it back, you neither.'
          }
          autoComplete="off"
          value={form.password}
          required={!hasPassword}
          minLength={4}
          maxLength={200}
          error={fieldError(error, 'gate.password')}
          onChange={(event) => change({ password: event.target.value })}
        />
      )}
      {who === 'ticket' && <TicketHint handle={handle} stream={stream} />}
      {wrong && (
        <p role="alert" className="text-sm text-warn-text">
          {wrong}
        </p>
      )}
    </div>
  );
}

/** Whether a refusal is told beside one of its fields. */
export function isOfGate(error: Error | null): boolean {
  return ['gate.who', 'gate.tier', 'gate.password', 'preview_seconds'].some((field) =>
    fieldError(error, field),
  );
}

function TierSelect({
  handle,
  tier,
  onChange,
}: {
  handle: string;
  tier: number;
  onChange: (tier: number) => void;
}) {
  const offers = useOffers(handle).data;
  const tiers = offers?.tiers ?? [];
  const numbers = [...new Set([1, ...tiers.map((each) => each.tier), tier])].sort((a, b) => a - b);
  return (
    <div className="min-w-0">
      <SelectField
        label="From which tier on"
        value={tier}
        onChange={(event) => onChange(Number(event.target.value))}
      >
        {numbers.map((number) => (
          <option key={number} value={number}>
            {tierName(tiers, number)}
          </option>
        ))}
      </SelectField>
      {offers && tiers.length === 0 && (
        <Hint>
          Nobody can join yet. <ToMoney handle={handle} part="sell" words="Set prices" />
        </Hint>
      )}
    </div>
  );
}

/** A gate that nobody can pass is no use: where what opens it is sold. */
function TicketHint({ handle, stream }: { handle: string; stream: string | null }) {
  const tickets = useTicketsTo(handle, stream ?? '').data;
  const sell = <ToMoney handle={handle} part="tickets" words="Sell a ticket" />;
  if (stream === null)
    return <Hint>Save this stream first, then sell a ticket to it under Money. {sell}</Hint>;
  if (tickets === undefined) return null;
  if (tickets.length === 0)
    return <Hint>No ticket is sold for this stream: nobody else can watch yet. {sell}</Hint>;
  return <Hint>On sale: {tickets.map(({ name }) => name).join(', ')}.</Hint>;
}

function Hint({ children }: { children: ReactNode }) {
  return <p className="mt-1.5 text-sm text-ink-3">{children}</p>;
}

function ToMoney({ handle, part, words }: { handle: string; part: 'sell' | 'tickets'; words: string }) {
  return (
    // What is written in this form stays there.
    <Link to="/dashboard/money" search={{ channel: handle, part }} target="_blank" className={link}>
      {words}
    </Link>
  );
}
