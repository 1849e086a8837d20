import { Check } from 'lucide-react';
import { Button } from '../../../ui/button';
import { Notice } from '../../../ui/notice';

/** The end of a form: what went wrong, the button, and that it is done. */
export function SaveRow({
  edit,
  dirty,
}: {
  edit: { isPending: boolean; isSuccess: boolean; error: Error | null };
  dirty: boolean;
}) {
  return (
    <>
      {edit.error && <Notice title="That could not be saved">{edit.error.message}</Notice>}
      <div className="flex items-center justify-end gap-3">
        <span role="status" className="inline-flex items-center gap-1.5 text-sm text-ink-2">
          {edit.isSuccess && !dirty && (
            <>
              <Check aria-hidden size={16} />
              Saved
            </>
          )}
        </span>
        <Button type="submit" look="primary" disabled={edit.isPending || !dirty}>
          {edit.isPending ? 'Saving' : 'Save'}
        </Button>
      </div>
    </>
  );
}
