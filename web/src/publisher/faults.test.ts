import { expect, test } from 'vitest';
import { explain, unplugged } from './faults';

const secure = { secure: true, permission: null };
const error = (name: string, message = '') => new DOMException(message, name);

test('each cause of a failure has its own help', () => {
  expect(explain(error('NotAllowedError'), 'camera', { secure: true, permission: 'denied' }).cause).toBe(
    'blocked',
  );
  expect(explain(error('NotAllowedError'), 'camera', { secure: true, permission: 'prompt' }).cause).toBe(
    'dismissed',
  );
  expect(explain(error('NotAllowedError', 'Permission denied by system'), 'microphone', secure).cause).toBe(
    'system',
  );
  expect(explain(error('NotReadableError'), 'camera', secure).cause).toBe('in_use');
  expect(explain(error('NotFoundError'), 'microphone', secure).cause).toBe('none');
  expect(explain(error('NotAllowedError'), 'screen', secure).cause).toBe('dismissed');
  expect(explain(error('WhateverError', 'odd'), 'camera', secure).help).toContain('odd');
});

test('an insecure address explains everything else', () => {
  expect(explain(error('NotFoundError'), 'camera', { secure: false, permission: null }).cause).toBe(
    'insecure',
  );
});

test('titles and help are never empty and name the thing', () => {
  for (const name of ['NotAllowedError', 'NotReadableError', 'NotFoundError']) {
    const fault = explain(error(name), 'microphone', secure);
    expect(fault.title).toContain('microphone');
    expect(fault.help.length).toBeGreaterThan(20);
  }
  expect(unplugged('camera').help).toContain('goes on');
});
