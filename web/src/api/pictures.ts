/** Pictures that people upload, and which part of them is kept. */
import { answer } from './client';

/** A part of a picture, in its own pixels. */
export interface Crop {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** Puts a picture to an address; it may take long on its way, so that it has no time limit of ours. */
export async function uploadPicture(path: string, file: File, crop: Crop): Promise<void> {
  const query = new URLSearchParams(Object.entries(crop).map(([name, value]) => [name, String(value)]));
  const request = fetch(`${path}?${query}`, {
    method: 'PUT',
    headers: { 'Content-Type': file.type || 'application/octet-stream' },
    body: file,
  });
  const read = async (response: Response) => ({
    response,
    error: response.ok ? undefined : await response.json().catch(() => undefined),
  });
  await answer(request.then(read));
}
