import { expect, test } from 'vitest';
import { SignallingError } from '../session/signalling';
import { phaseAfter, retryDelay } from './phase';

const refusal = (status: number, code: string | null = null, retry: number | null = null) =>
  new SignallingError(status, code, 'Words.', retry);

test('each refusal is a state that a person understands', () => {
  expect(phaseAfter(refusal(404), 0, 0, false).name).toBe('not_found');
  expect(phaseAfter(refusal(409), 0, 0, false).name).toBe('offline');
  expect(phaseAfter(refusal(409), 0, 0, true).name).toBe('ended');
  expect(phaseAfter(refusal(422, 'codec_mismatch'), 0, 0, false).name).toBe('unsupported');
  expect(phaseAfter(refusal(422, 'no_media'), 0, 0, false).name).toBe('failed');
  expect(phaseAfter(refusal(400), 0, 0, false)).toEqual({ name: 'failed', reason: 'Words.' });
  expect(phaseAfter(new Error('x'), 0, 0, false)).toEqual({ name: 'failed', reason: 'x' });
});

test('who comes back before the host does asks again soon, however often', () => {
  expect(phaseAfter(refusal(409, 'publisher_away', 2000), 100, 7, true)).toMatchObject({
    name: 'reconnecting',
    retryAt: 2100,
  });
});

test('a full server is asked again when it says', () => {
  expect(phaseAfter(refusal(503, 'server_full', 7000), 100, 0, false)).toEqual({
    name: 'server_full',
    retryAt: 7100,
  });
  expect(phaseAfter(refusal(503, 'shutting_down', 5000), 0, 0, false).name).toBe('reconnecting');
});

test('an unreachable server is asked ever more rarely, up to ten seconds', () => {
  expect(phaseAfter(refusal(0), 0, 1, false)).toMatchObject({ name: 'reconnecting', retryAt: 2000 });
  expect([0, 1, 2, 3, 4, 40].map(retryDelay)).toEqual([1000, 2000, 4000, 8000, 10_000, 10_000]);
});
