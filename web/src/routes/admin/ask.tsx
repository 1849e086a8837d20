/** Says in words what is about to happen, and does it when told to. */
import { type ReactNode, useState } from 'react';
import { Button } from '../../ui/button';
import { Dialog } from '../../ui/dialog';
import { TextField } from '../../ui/field';
import { Notice } from '../../ui/notice';

export interface Question {
  title: string;
  words: ReactNode;
  /** Words of the button. */
  act: string;
  /** Asks for a text as well, such as a reason. */
  field?: { label: string; hint: string };
  run: (text: string) => Promise<unknown>;
}

/** A dialog about the question; none: it is closed. */
export function Ask({ question, onClose }: { question: Question | null; onClose: () => void }) {
  return (
    <Dialog open={question !== null} onClose={onClose} title={question?.title ?? ''}>
      {question && <Body question={question} onClose={onClose} />}
    </Dialog>
  );
}

function Body({ question, onClose }: { question: Question; onClose: () => void }) {
  const [text, setText] = useState('');
  const [failure, setFailure] = useState<Error | null>(null);
  const [pending, setPending] = useState(false);
  const run = async () => {
    setPending(true);
    setFailure(null);
    try {
      await question.run(text.trim());
      onClose();
    } catch (error) {
      setFailure(error as Error);
      setPending(false);
    }
  };
  return (
    <form
      className="flex flex-col gap-4"
      onSubmit={(event) => {
        event.preventDefault();
        void run();
      }}
    >
      <div>{question.words}</div>
      {question.field && (
        <TextField
          label={question.field.label}
          hint={question.field.hint}
          value={text}
          required
          maxLength={300}
          onChange={(event) => setText(event.target.value)}
        />
      )}
      {failure && <Notice title="That did not work">{failure.message}</Notice>}
      <div className="mt-2 flex flex-wrap justify-end gap-2">
        <Button look="ghost" onClick={onClose}>
          Leave it
        </Button>
        <Button
          type="submit"
          look="warn"
          disabled={pending || (question.field !== undefined && text.trim() === '')}
        >
          {question.act}
        </Button>
      </div>
    </form>
  );
}
