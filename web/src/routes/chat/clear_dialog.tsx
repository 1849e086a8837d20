/** Asks before all that was said is gone: there is no way back. */
import { useState } from 'react';
import { chatApi } from '../../api/chat';
import { Button } from '../../ui/button';
import { Dialog } from '../../ui/dialog';
import { Notice } from '../../ui/notice';
import { useActs } from './acts';

export default function ClearDialog({ onClose }: { onClose: () => void }) {
  const { handle, tell } = useActs();
  const [busy, setBusy] = useState(false);
  const [wrong, setWrong] = useState<string | null>(null);
  const clear = async () => {
    if (busy) return;
    setBusy(true);
    try {
      await chatApi.clear(handle);
    } catch (error) {
      setWrong(error instanceof Error ? error.message : 'That did not work.');
      setBusy(false);
      return;
    }
    tell('The chat is cleared.');
    onClose();
  };
  return (
    <Dialog
      open
      onClose={onClose}
      title="Clear the chat?"
      actions={
        <>
          <Button onClick={onClose}>Keep it</Button>
          <Button look="warn" aria-disabled={busy} onClick={() => void clear()}>
            Clear the chat
          </Button>
        </>
      }
    >
      <p>
        Everybody loses all messages, and the replay beside the recordings loses them, too. This cannot be
        taken back.
      </p>
      {wrong !== null && (
        <div className="mt-4">
          <Notice title="The chat was not cleared">{wrong}</Notice>
        </div>
      )}
    </Dialog>
  );
}
