/** Makes a poll: a question, two to six answers, and how long it is open. */
import { Plus, X } from 'lucide-react';
import { useState } from 'react';
import { chatApi } from '../../api/chat';
import { answerTwice } from '../../chat/state';
import { Button } from '../../ui/button';
import { Dialog } from '../../ui/dialog';
import { SelectField, TextField } from '../../ui/field';
import { Notice } from '../../ui/notice';
import { useActs } from './acts';

const LENGTHS: readonly [label: string, seconds: number][] = [
  ['30 seconds', 30],
  ['1 minute', 60],
  ['2 minutes', 120],
  ['5 minutes', 300],
  ['10 minutes', 600],
];
const MOST = 6;

export default function PollDialog({ onClose }: { onClose: () => void }) {
  const { handle } = useActs();
  const [question, setQuestion] = useState('');
  const [options, setOptions] = useState(['', '']);
  const [seconds, setSeconds] = useState(120);
  const [busy, setBusy] = useState(false);
  const [twice, setTwice] = useState<number | null>(null);
  const [wrong, setWrong] = useState<string | null>(null);
  const given = options.map((option) => option.trim()).filter((option) => option !== '');
  const change = (next: string[]) => {
    setOptions(next);
    setTwice(null);
  };
  const make = async () => {
    if (busy) return;
    const equal = answerTwice(options);
    setTwice(equal);
    setWrong(null);
    if (equal !== null) return;
    setBusy(true);
    try {
      await chatApi.makePoll(handle, { question: question.trim(), options: given, seconds });
      onClose();
    } catch (error) {
      setWrong(error instanceof Error ? error.message : 'That did not work.');
      setBusy(false);
    }
  };
  return (
    <Dialog open onClose={onClose} title="New poll">
      <form
        className="flex flex-col gap-4 text-ink"
        onSubmit={(event) => {
          event.preventDefault();
          void make();
        }}
      >
        <TextField
          label="Question"
          value={question}
          required
          autoFocus
          maxLength={200}
          onChange={({ target }) => setQuestion(target.value)}
        />
        {options.map((option, at) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: an option is named by its place
          <div key={at} className="flex items-start gap-2">
            <div className="min-w-0 flex-1">
              <TextField
                label={`Answer ${at + 1}`}
                value={option}
                maxLength={60}
                error={twice === at && 'This option is there already.'}
                onChange={({ target }) =>
                  change(options.map((other, place) => (place === at ? target.value : other)))
                }
              />
            </div>
            {options.length > 2 && (
              <Button
                look="ghost"
                className="mt-6.5 size-11 px-0!"
                aria-label={`Leave out answer ${at + 1}`}
                onClick={() => change(options.filter((_, other) => other !== at))}
              >
                <X aria-hidden size={16} />
              </Button>
            )}
          </div>
        ))}
        {options.length < MOST && (
          <Button size="sm" className="self-start" onClick={() => setOptions([...options, ''])}>
            <Plus aria-hidden size={16} /> Add an answer
          </Button>
        )}
        <SelectField
          label="Open for"
          value={seconds}
          onChange={({ target }) => setSeconds(Number(target.value))}
        >
          {LENGTHS.map(([label, value]) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </SelectField>
        {wrong !== null && <Notice title="The poll was not started">{wrong}</Notice>}
        <div className="flex justify-end gap-2">
          <Button look="ghost" onClick={onClose}>
            Cancel
          </Button>
          <Button
            type="submit"
            look="primary"
            disabled={question.trim() === '' || given.length < 2}
            aria-disabled={busy}
          >
            Start the poll
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
