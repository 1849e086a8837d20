/** Words that are blocked, held for a moderator, or let through whatever the filters say. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Plus, X } from 'lucide-react';
import { useState } from 'react';
import { chatApi, type Term } from '../../api/chat';
import { Button } from '../../ui/button';
import { SelectField, TextField } from '../../ui/field';

const KINDS: { kind: Term['kind']; label: string }[] = [
  { kind: 'blocked', label: 'Blocked' },
  { kind: 'held', label: 'Held' },
  { kind: 'allowed', label: 'Allowed' },
];

export function TermsEditor({ handle }: { handle: string }) {
  const queries = useQueryClient();
  const queryKey = ['chat', handle, 'terms'];
  const list = useQuery({ queryKey, queryFn: () => chatApi.terms(handle) });
  const [term, setTerm] = useState('');
  const [kind, setKind] = useState<Term['kind']>('blocked');
  const onSettled = () => queries.invalidateQueries({ queryKey });
  const add = useMutation({
    mutationFn: () => chatApi.addTerm(handle, term.trim(), kind),
    onSuccess: () => setTerm(''),
    onSettled,
  });
  const remove = useMutation({ mutationFn: (id: Term['id']) => chatApi.removeTerm(handle, id), onSettled });
  const items = list.data?.items ?? [];
  const problem = list.error ?? add.error ?? remove.error;
  return (
    <div className="flex flex-col gap-4">
      <form
        className="flex flex-wrap items-end gap-2"
        onSubmit={(event) => {
          event.preventDefault();
          add.mutate();
        }}
      >
        <div className="min-w-0 flex-1 basis-40">
          <TextField
            label="Word or words"
            hint="* stands for any letters"
            value={term}
            required
            maxLength={80}
            autoComplete="off"
            onChange={({ target }) => setTerm(target.value)}
          />
        </div>
        <SelectField
          label="Is"
          hint="&nbsp;"
          value={kind}
          onChange={({ target }) => setKind(target.value as Term['kind'])}
        >
          {KINDS.map((each) => (
            <option key={each.kind} value={each.kind}>
              {each.label}
            </option>
          ))}
        </SelectField>
        <Button type="submit" className="mb-[1.625rem]" disabled={add.isPending || term.trim() === ''}>
          <Plus aria-hidden size={16} /> Add
        </Button>
      </form>
      {problem && (
        <p role="alert" className="text-sm text-warn-text">
          {problem.message}
        </p>
      )}
      {KINDS.map(({ kind: shown, label }) => {
        const terms = items.filter((item) => item.kind === shown);
        return (
          terms.length > 0 && (
            <section key={shown} aria-label={label}>
              <h3 className="mb-1.5 text-xs font-semibold text-ink-3">{label}</h3>
              <ul className="flex flex-wrap gap-1.5">
                {terms.map((item) => (
                  <li
                    key={item.id}
                    className="inline-flex items-center rounded-md border border-line bg-surface-2 pl-2 text-sm"
                  >
                    <bdi className="max-w-60 truncate">{item.term}</bdi>
                    <button
                      type="button"
                      aria-label={`Remove ${item.term}`}
                      disabled={remove.isPending}
                      onClick={() => remove.mutate(item.id)}
                      className="flex size-8 items-center justify-center text-ink-2 hover:text-ink pointer-coarse:size-11"
                    >
                      <X aria-hidden size={14} />
                    </button>
                  </li>
                ))}
              </ul>
            </section>
          )
        );
      })}
      {list.data && items.length === 0 && (
        <p className="text-sm text-ink-3">
          No words yet. They are found in other letters and with signs between them, too.
        </p>
      )}
    </div>
  );
}
