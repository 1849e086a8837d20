/** A gate as a form holds it. */
import type { Gated, GatedEdit, StreamGate, StreamGateEdit } from '../api/entry';

export type Who = StreamGate['who'];

export interface GateForm {
  /** `as_stream`: a recording has none of its own. */
  who: Who | 'as_stream';
  /** Kept while something else is chosen. */
  tier: number;
  /** Empty: the one that there is. */
  password: string;
  previewSeconds: number;
}

const OPEN_FORM: GateForm = { who: 'everyone', tier: 1, password: '', previewSeconds: 0 };

/** Of a stream or a recording; what is not made yet is open to everyone. */
export function gateFormOf(gated: Gated | null): GateForm {
  if (!gated) return OPEN_FORM;
  const { gate, preview_seconds } = gated;
  return { who: gate.who, tier: gate.tier ?? 1, password: '', previewSeconds: preview_seconds };
}

/** What is written of it; `null` for as its stream. */
export function gateEdit({ who, tier, password }: GateForm): StreamGateEdit | null {
  switch (who) {
    case 'as_stream':
      return null;
    case 'members':
      return { who, tier };
    case 'password':
      return password === '' ? { who } : { who, password };
    default:
      return { who };
  }
}

/** With the free look, as streams have it; what is open to everyone needs none. */
export function gatedEdit(form: GateForm): GatedEdit {
  const gate = gateEdit(form);
  return {
    ...(gate ? { gate } : {}),
    preview_seconds: form.who === 'everyone' ? 0 : form.previewSeconds,
  };
}

/** What can be chosen: what is paid for only where there are payments, or where it is chosen already. */
export function choices(hasPayments: boolean, chosen: GateForm['who']): Who[] {
  return EVERY.filter((who) => hasPayments || who === chosen || !PAID.has(who));
}

/** How long a free look can be, with the length that there is. */
export function previewChoices(chosen: number): number[] {
  return [...new Set([...PREVIEWS, chosen])].sort((a, b) => a - b);
}

const EVERY: Who[] = ['everyone', 'followers', 'members', 'ticket', 'password'];
const PAID = new Set<Who>(['members', 'ticket']);
const PREVIEWS = [0, 30, 60, 120, 300];
