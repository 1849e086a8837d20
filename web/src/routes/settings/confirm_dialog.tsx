/** Asks for the password again before something grave. */
import { useState } from 'react';
import { Button } from '../../ui/button';
import { Dialog } from '../../ui/dialog';
import { TextField } from '../../ui/field';
import { Notice } from '../../ui/notice';

export function ConfirmDialog({
  open,
  title,
  children,
  act,
  look = 'primary',
  error,
  pending,
  onConfirm,
  onClose,
}: {
  open: boolean;
  title: string;
  children: string;
  /** Words of the button. */
  act: string;
  look?: 'primary' | 'warn';
  error: Error | null;
  pending: boolean;
  onConfirm: (password: string) => void;
  onClose: () => void;
}) {
  const [password, setPassword] = useState('');
  return (
    <Dialog open={open} onClose={onClose} title={title}>
      <form
        className="flex flex-col gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          onConfirm(password);
          setPassword('');
        }}
      >
        <p>{children}</p>
        <TextField
          label="Your password"
          type="password"
          value={password}
          required
          autoFocus
          autoComplete="current-password"
          onChange={(event) => setPassword(event.target.value)}
        />
        {error && <Notice title="That did not work">{error.message}</Notice>}
        <div className="mt-2 flex flex-wrap justify-end gap-2">
          <Button look="ghost" onClick={onClose}>
            Leave it
          </Button>
          <Button type="submit" look={look} disabled={pending || password === ''}>
            {act}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
