import { Button } from '../../ui/button';
import { Notice } from '../../ui/notice';

/** For whoever left the page where it is paid. */
export default function NothingPaid({ onClose }: { onClose: () => void }) {
  return (
    <Notice
      tone="info"
      title="Nothing was paid"
      action={
        <Button size="sm" onClick={onClose}>
          All right
        </Button>
      }
    >
      You left the payment page. You can begin again whenever you like.
    </Notice>
  );
}
