/** What there is to watch: the home page, categories and tags, search. */
import { answer, http } from './client';
import type { components } from './schema';

type Schemas = components['schemas'];

export type Home = Schemas['Home'];
export type LiveCard = Schemas['LiveCard'];
export type StreamCard = Schemas['StreamCard'];
export type RecordingCard = Schemas['RecordingCard'];
export type ChannelCard = Schemas['ChannelCard'];
export type SearchKind = 'channels' | 'streams' | 'recordings';
export type SearchResults = Schemas['SearchResults'];

/** What a page is narrowed to. */
export interface Narrowed {
  category?: string;
  tag?: string;
  language?: string;
}

export const discovery = {
  categories: () => answer(http.GET('/api/categories')),
  home: () => answer(http.GET('/api/home')),
  browse: (narrowed: Narrowed, cursor: string) =>
    answer(http.GET('/api/browse', { params: { query: { ...narrowed, cursor } } })),
  /** The first of each kind. */
  search: (q: string) => answer(http.GET('/api/search', { params: { query: { q } } })),
  /** One kind, page by page. */
  searchOf: (q: string, kind: SearchKind, cursor: string) =>
    answer(http.GET('/api/search', { params: { query: { q, kind, cursor } } })),
};
