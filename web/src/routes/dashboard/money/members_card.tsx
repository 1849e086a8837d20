/** Who is a member. */
import { useQuery } from '@tanstack/react-query';
import { useDeferredValue, useState } from 'react';
import { type Member, shopApi, type Tier } from '../../../api/payments';
import { moneyText } from '../../../payments/money';
import { Card } from '../../../ui/card';
import { SelectField, TextField } from '../../../ui/field';
import { Pill } from '../../../ui/pill';
import { Reading } from '../../asking';
import { NoAnswer } from '../../no_answer';
import { dayText, priceText, tierName } from '../../payments/words';
import { EVERY_MS, moneyKey } from './use_shop';

/** More would make the page slow; the search finds the others. */
const MOST_SHOWN = 200;

export function MembersCard({ handle, tiers }: { handle: string; tiers: readonly Tier[] }) {
  const [text, setText] = useState('');
  const [tier, setTier] = useState('');
  const wanted = useDeferredValue(text.trim().toLowerCase());
  const query = useQuery({
    queryKey: [...moneyKey(handle), 'members'],
    queryFn: () => shopApi.members(handle),
    refetchInterval: EVERY_MS,
  });
  const all = query.data?.items ?? [];
  const found = all.filter(
    (member) => member.name.toLowerCase().includes(wanted) && (tier === '' || member.tier === Number(tier)),
  );
  const numbers = [...new Set([...tiers.map((each) => each.tier), ...all.map((each) => each.tier)])].sort();
  return (
    <Card title="Members" aside={query.data && <Count found={found.length} all={all.length} />}>
      {!query.data && !query.error && <Reading />}
      {query.error && <NoAnswer reason={query.error.message} onRetry={() => void query.refetch()} />}
      {query.data && all.length === 0 && (
        <p className="text-sm text-ink-2">
          Nobody is a member yet. Say on stream that one can join, and what members get.
        </p>
      )}
      {all.length > 0 && (
        <>
          <search className="mb-4 grid gap-4 sm:grid-cols-[minmax(0,1fr)_14rem]">
            <TextField
              label="Name"
              type="search"
              autoComplete="off"
              value={text}
              onChange={(event) => setText(event.target.value)}
            />
            <SelectField label="Tier" value={tier} onChange={(event) => setTier(event.target.value)}>
              <option value="">All tiers</option>
              {numbers.map((number) => (
                <option key={number} value={number}>
                  {tierName(tiers, number)}
                </option>
              ))}
            </SelectField>
          </search>
          {found.length === 0 && <p className="text-sm text-ink-2">No member is found by that.</p>}
          {found.length > 0 && <Table members={found.slice(0, MOST_SHOWN)} tiers={tiers} />}
          {found.length > MOST_SHOWN && (
            <p className="mt-3 text-sm text-ink-3">
              The newest {MOST_SHOWN} are shown. Search by name for the others.
            </p>
          )}
        </>
      )}
    </Card>
  );
}

function Count({ found, all }: { found: number; all: number }) {
  return (
    <span role="status" className="text-sm text-ink-3 tabular-nums">
      {found === all ? all : `${found} of ${all}`}
    </span>
  );
}

function Table({ members, tiers }: { members: readonly Member[]; tiers: readonly Tier[] }) {
  return (
    <table className="w-full text-left text-sm">
      <thead className="text-ink-3 max-sm:sr-only">
        <tr className="border-b border-line">
          {['Name', 'Tier', 'Pays', 'Since', 'Until'].map((name) => (
            <th key={name} scope="col" className="py-2 pr-4 font-medium">
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {members.map((member) => (
          <tr
            key={`${member.id} ${member.since}`}
            className="border-b border-line last:border-b-0 max-sm:flex max-sm:flex-wrap max-sm:gap-x-3 max-sm:py-2.5"
          >
            <th scope="row" className="py-0.5 font-medium break-words max-sm:basis-full sm:py-2.5 sm:pr-4">
              {member.name}
            </th>
            <td className="py-0.5 sm:py-2.5 sm:pr-4">{tierName(tiers, member.tier)}</td>
            <td className="py-0.5 tabular-nums sm:py-2.5 sm:pr-4">{paysText(member)}</td>
            <td className="py-0.5 text-ink-2 tabular-nums sm:py-2.5 sm:pr-4">
              <span className="sm:hidden">since </span>
              {dayText(member.since)}
            </td>
            <td className="py-0.5 text-ink-2 tabular-nums sm:py-2.5">
              {member.status === 'past_due' ? (
                <Pill tone="warn">Payment missing</Pill>
              ) : (
                `${member.ends ? 'ends' : 'renews'} ${dayText(member.until)}`
              )}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function paysText(member: Member): string {
  if (member.is_gift) return 'gift';
  return member.period ? priceText(member, member.period) : moneyText(member);
}
