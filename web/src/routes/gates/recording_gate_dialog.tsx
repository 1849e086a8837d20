/** Who may watch a recording: as its stream had it, or otherwise. */
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { api } from '../../api/client';
import type { Recording } from '../../api/types';
import { gateEdit, gateFormOf } from '../../gates/form';
import { audienceText } from '../../gates/words';
import { Button } from '../../ui/button';
import { Dialog } from '../../ui/dialog';
import { Notice } from '../../ui/notice';
import { GatePicker, isOfGate } from './gate_picker';

export default function RecordingGateDialog({
  recording,
  onClose,
  onDone,
}: {
  recording: Recording;
  onClose: () => void;
  onDone: () => Promise<unknown>;
}) {
  const { id, channel, stream, gate, gate_is_own: isOwn } = recording;
  const [form, setForm] = useState(() => {
    const held = gateFormOf(recording);
    return isOwn ? held : { ...held, who: 'as_stream' as const };
  });
  const save = useMutation({
    mutationFn: () => api.editRecording(id, { gate: gateEdit(form) }),
    onSuccess: async () => {
      await onDone();
      onClose();
    },
  });
  return (
    <Dialog open onClose={onClose} title="Who may watch this recording?">
      <form
        className="flex flex-col gap-4 text-ink"
        onSubmit={(event) => {
          event.preventDefault();
          save.mutate();
        }}
      >
        <GatePicker
          handle={channel}
          stream={stream}
          form={form}
          onChange={setForm}
          error={save.error}
          hasPassword={isOwn && gate.who === 'password'}
          // Of a gate of its own it is not known any more what the stream had.
          asStream={isOwn ? '' : audienceText(gate)}
        />
        {save.error && !isOfGate(save.error) && (
          <Notice title="That did not work">{save.error.message}</Notice>
        )}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>Close</Button>
          <Button type="submit" look="primary" disabled={save.isPending}>
            Save
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
