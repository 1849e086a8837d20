/** The server's answers by the names that pages use; the shapes are generated from its OpenAPI. */
import type { components } from './schema';

type Schemas = components['schemas'];

export type Problem = Partial<Schemas['Problem']> & { status: number };
export type FieldProblem = Schemas['FieldProblem'];
export type AccountSession = Schemas['Session'];
export type OwnChannel = Schemas['SessionChannel'];
export type Recording = Schemas['RecordingBody'];
export type RecordingEdit = Schemas['RecordingEdit'];
export type Visibility = Schemas['Visibility'];
export type StreamKey = Schemas['StreamKeyBody'];
export type NewStreamKey = Schemas['StreamKeyWithText'];
export type Ingest = Schemas['IngestReport'];
export type IngestCheck = Schemas['Check'];
