import { expect, test } from 'vitest';
import { browserName } from './browser_name';

test('browsers are known by what they call themselves', () => {
  const chrome = 'AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36';
  expect(browserName(`Mozilla/5.0 (X11; Linux x86_64) ${chrome}`)).toBe('Chrome on Linux');
  expect(browserName(`Mozilla/5.0 (Windows NT 10.0) ${chrome} Edg/140.0`)).toBe('Edge on Windows');
  expect(browserName('Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:140.0) Firefox/140.0')).toBe(
    'Firefox on macOS',
  );
  expect(browserName('curl/8.14.1')).toBe('curl');
  expect(browserName('')).toBe('Unknown browser');
});
