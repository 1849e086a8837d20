import { Button } from '../../ui/button';
import { Dialog } from '../../ui/dialog';

/** The one question before a stream goes off air, whether by its button or by leaving the studio. */
export function EndDialog({
  open,
  onAir,
  viewers,
  onStay,
  onEnd,
}: {
  open: boolean;
  /** Else it is only going live. */
  onAir: boolean;
  viewers: number;
  onStay: () => void;
  onEnd: () => void;
}) {
  return (
    <Dialog
      isQuestion
      open={open}
      onClose={onStay}
      title={onAir ? 'End the stream?' : 'Stop going live?'}
      actions={
        <>
          <Button onClick={onStay}>{onAir ? 'Stay on air' : 'Stay here'}</Button>
          <Button look="primary" onClick={onEnd}>
            {onAir ? 'End stream' : 'Stop and leave'}
          </Button>
        </>
      }
    >
      {!onAir
        ? 'You are not on air yet. Leaving the studio stops the attempt.'
        : viewers > 0
          ? `${viewers} ${viewers === 1 ? 'person is' : 'people are'} watching. They will see that the stream has ended.`
          : 'Viewers will see that the stream has ended.'}
    </Dialog>
  );
}
