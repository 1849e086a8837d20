/** Streams: what is planned, on air and over, and what is done with it. */
import { answer, http } from './client';
import { type Crop, uploadPicture } from './pictures';
import type { components } from './schema';

type Schemas = components['schemas'];

export type Stream = Schemas['StreamBody'];
export type StreamState = Schemas['StreamState'];
export type StreamEdit = Schemas['StreamEdit'];

const ofStream = (id: string) => ({ params: { path: { id } } });

export const streamsApi = {
  categories: () => answer(http.GET('/api/categories')),
  list: (channel: string, state: StreamState, cursor?: string) =>
    answer(
      http.GET('/api/streams', {
        params: { query: { channel, state, ...(cursor === undefined ? {} : { cursor }) } },
      }),
    ),
  schedule: (handle: string) =>
    answer(http.GET('/api/channels/{handle}/schedule', { params: { path: { handle } } })),
  create: (channel: string, body: StreamEdit) =>
    answer(http.POST('/api/streams', { body: { channel, ...body } as Schemas['NewStream'] })),
  edit: (id: string, body: StreamEdit) => answer(http.PATCH('/api/streams/{id}', { ...ofStream(id), body })),
  cancel: (id: string) => answer(http.DELETE('/api/streams/{id}', ofStream(id))),
  start: (id: string) => answer(http.POST('/api/streams/{id}/start', ofStream(id))),
  end: (id: string) => answer(http.POST('/api/streams/{id}/end', ofStream(id))),
  setThumbnail: (id: string, picture: File, crop: Crop) =>
    uploadPicture(`/api/streams/${id}/thumbnail`, picture, crop),
  removeThumbnail: (id: string) => answer(http.DELETE('/api/streams/{id}/thumbnail', ofStream(id))),
  publish: (id: string) => answer(http.POST('/api/streams/{id}/publish', ofStream(id))),
};
