/** Asks for the password again before something grave; who has none signs in anew before. */
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Button } from '../../ui/button';
import { Dialog } from '../../ui/dialog';
import { TextField } from '../../ui/field';
import { Notice } from '../../ui/notice';
import { accountQuery } from './frame';

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
  const hasPassword = useQuery(accountQuery).data?.has_password ?? true;
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
        {hasPassword && (
          <TextField
            label="Your password"
            type="password"
            value={password}
            required
            autoFocus
            autoComplete="current-password"
            onChange={(event) => setPassword(event.target.value)}
          />
        )}
        {error && <Notice title="That did not work">{error.message}</Notice>}
        <div className="mt-2 flex flex-wrap justify-end gap-2">
          <Button look="ghost" onClick={onClose}>
            Leave it
          </Button>
          <Button type="submit" look={look} disabled={pending || (hasPassword && password === '')}>
            {act}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
