/** The channel's own emotes: pictures that stand for `:code:` in its chat. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Trash2, Upload } from 'lucide-react';
import { useRef, useState } from 'react';
import { chatApi } from '../../../api/chat';
import { Button } from '../../../ui/button';
import { Card } from '../../../ui/card';
import { SelectField, TextField } from '../../../ui/field';
import { GateBadge } from '../../gates/gate_badge';
import { usePayments } from '../../payments/use_payments';

const KINDS = ['image/png', 'image/webp', 'image/gif'];
const MOST_BYTES = 1024 * 1024;

/** From which tier on an emote may be used. */
const AUDIENCES = ['Everybody', 'Members', 'Members from tier 2 on', 'Members of tier 3'];

export function EmotesCard({ handle }: { handle: string }) {
  const queries = useQueryClient();
  const queryKey = ['chat', handle, 'emotes'];
  const list = useQuery({ queryKey, queryFn: () => chatApi.emotes(handle) });
  const input = useRef<HTMLInputElement>(null);
  const arePaid = usePayments() !== 'off';
  const [code, setCode] = useState('');
  const [tier, setTier] = useState(0);
  const [problem, setProblem] = useState<string | null>(null);
  const onSettled = () => queries.invalidateQueries({ queryKey });
  const add = useMutation({
    mutationFn: (picture: File) => chatApi.setEmote(handle, code, tier, picture),
    onSuccess: () => setCode(''),
    onSettled,
  });
  const remove = useMutation({ mutationFn: (gone: string) => chatApi.removeEmote(handle, gone), onSettled });
  const choose = (picture: File | undefined) => {
    if (!picture) return;
    const wrong = problemOf(picture);
    setProblem(wrong);
    if (!wrong) add.mutate(picture);
  };
  const items = list.data?.items ?? [];
  const wrongCode = code !== '' && !/^[a-z0-9_]{2,32}$/.test(code);
  const words = problem ?? (add.error ?? remove.error ?? list.error)?.message;
  return (
    <Card title="Emotes">
      <div className="flex flex-col gap-4">
        {list.data && items.length === 0 && (
          <p className="text-sm text-ink-3">
            None yet. Small pictures with a clear background do best, 112 pixels high or more.
          </p>
        )}
        <ul aria-label="Emotes" className="flex flex-wrap gap-2 empty:hidden">
          {items.map((emote) => (
            <li
              key={emote.code}
              className="flex items-center gap-2 rounded-control border border-line bg-surface-2 py-1 pl-2.5 text-sm"
            >
              <img src={emote.url} alt="" className="h-8 w-auto max-w-16 object-contain" />
              <span className="font-mono text-xs">:{emote.code}:</span>
              {emote.tier > 0 && <GateBadge gate={{ who: 'members', tier: emote.tier }} />}
              <button
                type="button"
                aria-label={`Remove :${emote.code}:`}
                disabled={remove.isPending}
                onClick={() => remove.mutate(emote.code)}
                className="flex size-9 items-center justify-center text-ink-2 hover:text-ink pointer-coarse:size-11"
              >
                <Trash2 aria-hidden size={15} />
              </button>
            </li>
          ))}
        </ul>
        <div className="flex flex-col gap-3">
          <TextField
            label="Code"
            prefix=":"
            value={code}
            autoComplete="off"
            placeholder="wave"
            hint="2 to 32 of a–z, 0–9 and _"
            error={wrongCode && 'Only a–z, 0–9 and _, 2 to 32 of them.'}
            onChange={({ target }) => setCode(target.value.toLowerCase().replaceAll(':', ''))}
          />
          {arePaid && (
            <SelectField
              label="Who may use it"
              value={tier}
              hint="To change it later, upload the picture again under the same code."
              onChange={({ target }) => setTier(Number(target.value))}
            >
              {AUDIENCES.map((words, least) => (
                <option key={words} value={least}>
                  {words}
                </option>
              ))}
            </SelectField>
          )}
          <input
            ref={input}
            type="file"
            accept={KINDS.join(',')}
            aria-label="Choose an emote"
            className="sr-only"
            tabIndex={-1}
            onChange={(event) => {
              choose(event.target.files?.[0]);
              event.target.value = '';
            }}
          />
          <Button
            className="self-start"
            disabled={code === '' || wrongCode || add.isPending}
            onClick={() => input.current?.click()}
          >
            <Upload aria-hidden size={16} />
            {add.isPending ? 'Uploading' : 'Choose its picture'}
          </Button>
        </div>
        {words && (
          <p role="alert" className="text-sm text-warn-text">
            {words}
          </p>
        )}
      </div>
    </Card>
  );
}

/** What the server would refuse, said before it is sent. */
function problemOf({ type, size }: File): string | null {
  if (!KINDS.includes(type)) return 'An emote is a PNG, a WebP or a GIF.';
  return size > MOST_BYTES ? 'It has more than 1 MB. Save it smaller.' : null;
}
