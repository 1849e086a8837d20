/** What stands before a stream or a recording: for whoever watches, and for whoever makes it. */
import { answer, http } from './client';
import type { components } from './schema';

type Schemas = components['schemas'];

export type StreamGate = Schemas['StreamGate'];
export type StreamGateEdit = Schemas['StreamGateEdit'];
/** As streams and recordings tell it. */
export type Gated = Pick<Schemas['StreamBody'], 'gate' | 'preview_seconds'>;
/** As it is written of a stream. */
export type GatedEdit = Pick<Schemas['StreamEdit'], 'gate' | 'preview_seconds'>;

/** What a gate can stand before. */
export type Behind = 'stream' | 'recording';

const of = (id: string) => ({ params: { path: { id } } });

export const entryApi = {
  show: (behind: Behind, id: string) =>
    answer(
      behind === 'stream'
        ? http.GET('/api/streams/{id}/entry', of(id))
        : http.GET('/api/recordings/{id}/entry', of(id)),
    ),
  enter: (behind: Behind, id: string, password: string) => {
    const body = { password };
    return answer(
      behind === 'stream'
        ? http.POST('/api/streams/{id}/password', { ...of(id), body })
        : http.POST('/api/recordings/{id}/password', { ...of(id), body }),
    );
  },
};
