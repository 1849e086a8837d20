/** Makes a poll: a question, two to six answers, and how long it is open. */
import { Plus, X } from 'lucide-react';
import { useState } from 'react';
import { chatApi } from '../../api/chat';
import { Button } from '../../ui/button';
import { Dialog } from '../../ui/dialog';
import { SelectField, TextField } from '../../ui/field';
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
  const { handle, act } = useActs();
  const [question, setQuestion] = useState('');
  const [options, setOptions] = useState(['', '']);
  const [seconds, setSeconds] = useState(120);
  const given = options.map((option) => option.trim()).filter((option) => option !== '');
  const change = (at: number, text: string) =>
    setOptions(options.map((option, other) => (other === at ? text : option)));
  const make = async () => {
    const made = await act(
      () => chatApi.makePoll(handle, { question: question.trim(), options: given, seconds }),
      '',
    );
    if (made) onClose();
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
          maxLength={200}
          onChange={({ target }) => setQuestion(target.value)}
        />
        {options.map((option, at) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: an option is named by its place
          <div key={at} className="flex items-end gap-2">
            <div className="min-w-0 flex-1">
              <TextField
                label={`Answer ${at + 1}`}
                value={option}
                maxLength={60}
                onChange={({ target }) => change(at, target.value)}
              />
            </div>
            {options.length > 2 && (
              <Button
                look="ghost"
                className="size-11 px-0!"
                aria-label={`Leave out answer ${at + 1}`}
                onClick={() => setOptions(options.filter((_, other) => other !== at))}
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
        <div className="flex justify-end gap-2">
          <Button look="ghost" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" look="primary" disabled={question.trim() === '' || given.length < 2}>
            Start the poll
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
