/** Channels: what they say of themselves, who follows and looks after them, who may watch. */
import { answer, http } from './client';
import { type Crop, uploadPicture } from './pictures';
import type { components } from './schema';

type Schemas = components['schemas'];

export type ChannelPage = Schemas['ChannelPage'];
export type ChannelEdit = Schemas['ChannelEdit'];
export type ChannelProfile = Schemas['ChannelProfile'];
export type ShownLink = Schemas['ShownLink'];
export type Block = Schemas['Block'];
export type Inline = Schemas['Inline'];

const of = (handle: string) => ({ params: { path: { handle } } });
const ofPerson = (handle: string, name: string) => ({ params: { path: { handle, name } } });

export const channelsApi = {
  show: (handle: string) => answer(http.GET('/api/channels/{handle}', of(handle))),
  edit: (handle: string, body: ChannelEdit) =>
    answer(http.PATCH('/api/channels/{handle}', { ...of(handle), body })),
  remove: (handle: string) =>
    answer(
      http.DELETE('/api/channels/{handle}', { params: { path: { handle }, query: { confirm: handle } } }),
    ),
  languages: () => answer(http.GET('/api/languages')),
  follow: (handle: string, follow: boolean) =>
    follow
      ? answer(http.PUT('/api/channels/{handle}/follow', of(handle)))
      : answer(http.DELETE('/api/channels/{handle}/follow', of(handle))),
  moderators: (handle: string) => answer(http.GET('/api/channels/{handle}/moderators', of(handle))),
  addModerator: (handle: string, name: string) =>
    answer(http.PUT('/api/channels/{handle}/moderators/{name}', ofPerson(handle, name))),
  removeModerator: (handle: string, name: string) =>
    answer(http.DELETE('/api/channels/{handle}/moderators/{name}', ofPerson(handle, name))),
  enter: (handle: string, password: string) =>
    answer(http.POST('/api/channels/{handle}/access', { ...of(handle), body: { password } })),
  setPicture: (handle: string, shape: 'avatar' | 'banner') => (file: File, crop: Crop) =>
    uploadPicture(`/api/channels/${encodeURIComponent(handle)}/${shape}`, file, crop),
  removePicture: (handle: string, shape: 'avatar' | 'banner') =>
    answer(
      shape === 'avatar'
        ? http.DELETE('/api/channels/{handle}/avatar', of(handle))
        : http.DELETE('/api/channels/{handle}/banner', of(handle)),
    ),
};
