/** What is sold: the currency, tiers of membership, tips. */
import { Plus } from 'lucide-react';
import { useState } from 'react';
import { fieldError } from '../../../api/client';
import type { Shop } from '../../../api/payments';
import { CURRENCIES, currencyName } from '../../../payments/money';
import { Button } from '../../../ui/button';
import { Card } from '../../../ui/card';
import { SelectField, TextField, Toggle } from '../../../ui/field';
import { Notice } from '../../../ui/notice';
import { TextArea } from '../../../ui/text_area';
import { SaveRow } from '../channel/save_row';
import { editOf, formOf, type ShopForm } from './shop_form';
import { TierFields } from './tier_fields';
import { useEditShop } from './use_shop';

const MOST_TIERS = 3;

export function ShopCard({ handle, shop }: { handle: string; shop: Shop }) {
  const [before, setBefore] = useState(() => formOf(shop));
  const [form, setForm] = useState(before);
  const [wrong, setWrong] = useState<Record<string, string>>({});
  const edit = useEditShop(handle);
  const dirty = JSON.stringify(form) !== JSON.stringify(before);
  const change = (part: Partial<ShopForm>) => {
    setForm({ ...form, ...part });
    setWrong({});
    if (edit.error) edit.reset();
  };
  const errorOf = (field: string) => wrong[field] ?? fieldError(edit.error, field);
  const save = () => {
    const read = editOf(form, before);
    if ('errors' in read) {
      setWrong(read.errors);
      return;
    }
    edit.mutate(read.edit, {
      onSuccess: (saved) => {
        const now = formOf(saved);
        setBefore(now);
        setForm(now);
      },
    });
  };
  return (
    <form
      noValidate
      className="flex flex-col gap-4 lg:gap-6"
      onSubmit={(event) => {
        event.preventDefault();
        save();
      }}
    >
      <Card title="Memberships">
        <div className="flex flex-col gap-6">
          <SelectField
            label="Currency"
            value={form.currency}
            hint="All prices here are in it. Who pays already goes on as before."
            onChange={(event) => change({ currency: event.target.value })}
          >
            {CURRENCIES.map((code) => (
              <option key={code} value={code}>
                {currencyName(code)}
              </option>
            ))}
          </SelectField>
          <Tiers form={form} errorOf={errorOf} onChange={(tiers) => change({ tiers })} />
          {errorOf('tiers') && <Notice title="The tiers are not right yet">{errorOf('tiers')}</Notice>}
          <TextArea
            label="Welcome for new members"
            hint="They read it when they come back from paying. Up to 1000 characters."
            error={errorOf('welcome')}
            maxLength={1000}
            value={form.welcome}
            onChange={(event) => change({ welcome: event.target.value })}
          />
        </div>
      </Card>
      <Card title="Tips">
        <div className="flex flex-col gap-5">
          <Toggle
            label="Take tips"
            hint="Viewers send an amount with a few words, which pass your chat’s rules."
            checked={form.takesTips}
            onChange={(takesTips) => change({ takesTips })}
          />
          {form.takesTips && (
            <TextField
              label={`Least tip (${form.currency.toUpperCase()})`}
              inputMode="decimal"
              autoComplete="off"
              value={form.leastTip}
              error={errorOf('least_tip')}
              onChange={(event) => change({ leastTip: event.target.value })}
            />
          )}
        </div>
      </Card>
      <div className="flex flex-col gap-4">
        {Object.keys(wrong).length > 0 && (
          <Notice title="Not saved yet">One or more amounts above are not right.</Notice>
        )}
        <SaveRow edit={edit} dirty={dirty} />
      </div>
    </form>
  );
}

function Tiers({
  form,
  errorOf,
  onChange,
}: {
  form: ShopForm;
  errorOf: (field: string) => string | undefined;
  onChange: (tiers: ShopForm['tiers']) => void;
}) {
  const { tiers, currency } = form;
  const add = () => {
    const id = Math.max(-1, ...tiers.map((tier) => tier.id)) + 1;
    onChange([...tiers, { id, name: '', perks: '', month: '', year: '' }]);
  };
  return (
    <>
      {tiers.length === 0 && (
        <p className="text-sm text-ink-2">
          No memberships are offered. Add a tier: a name, what members get, and what a month costs.
        </p>
      )}
      {tiers.map((tier, at) => (
        <TierFields
          key={tier.id}
          at={at}
          tier={tier}
          currency={currency}
          isLast={at === tiers.length - 1}
          errorOf={(field) => errorOf(`tiers.${at}.${field}`)}
          onChange={(change) =>
            onChange(tiers.map((each) => (each.id === tier.id ? { ...each, ...change } : each)))
          }
          onRemove={() => onChange(tiers.filter(({ id }) => id !== tier.id))}
        />
      ))}
      {tiers.length < MOST_TIERS && (
        <Button size="sm" className="self-start" onClick={add}>
          <Plus aria-hidden size={16} />
          Add a tier
        </Button>
      )}
    </>
  );
}
