import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type Alert, AlertQueue, EventReader, readAlert, SHOWN_MS } from './alerts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const alert = (id: string): Alert => ({
  id,
  kind: 'tip',
  name: 'Bo',
  amount: 500,
  currency: 'eur',
  message: '',
});

function queue() {
  const shown: (string | null)[] = [];
  return { shown, alerts: new AlertQueue((now) => shown.push(now?.id ?? null)) };
}

test('alerts are shown one at a time, in their order', () => {
  const { shown, alerts } = queue();
  alerts.add(alert('a'));
  alerts.add(alert('b'));
  expect(shown).toEqual(['a']);
  vi.advanceTimersByTime(SHOWN_MS);
  expect(shown).toEqual(['a', null]);
  vi.advanceTimersByTime(SHOWN_MS);
  expect(shown).toEqual(['a', null, 'b']);
  vi.advanceTimersByTime(60_000);
  expect(shown).toEqual(['a', null, 'b', null]);
});

test('an alert that comes twice is shown once, also when the first is over', () => {
  const { shown, alerts } = queue();
  alerts.add(alert('a'));
  alerts.add(alert('a'));
  vi.advanceTimersByTime(60_000);
  alerts.add(alert('a'));
  vi.advanceTimersByTime(60_000);
  expect(shown).toEqual(['a', null]);
});

test('after a pause the next is shown at once', () => {
  const { shown, alerts } = queue();
  alerts.add(alert('a'));
  vi.advanceTimersByTime(60_000);
  alerts.add(alert('b'));
  expect(shown).toEqual(['a', null, 'b']);
});

test('a queue that is stopped shows nothing more', () => {
  const { shown, alerts } = queue();
  alerts.add(alert('a'));
  alerts.add(alert('b'));
  alerts.stop();
  vi.advanceTimersByTime(60_000);
  expect(shown).toEqual(['a']);
});

test('a stream of events is read however it is cut', () => {
  const text = ':keep-alive\n\nevent: alert\ndata: {"id":"1"}\n\nevent:alert\r\ndata:a\r\ndata:b\r\n\r\n';
  for (const size of [1, 2, 3, 7, text.length]) {
    const told: [string, string][] = [];
    const reader = new EventReader((event, data) => told.push([event, data]));
    for (let at = 0; at < text.length; at += size) reader.read(text.slice(at, at + size));
    expect(told, `${size}`).toEqual([
      ['alert', '{"id":"1"}'],
      ['alert', 'a\nb'],
    ]);
  }
});

test('what is no alert is passed over', () => {
  expect(readAlert('{"id":"1","kind":"tip","name":"Bo","message":"Hi"}')).toMatchObject({ name: 'Bo' });
  for (const text of ['', '{', 'null', '[]', '{"id":1,"kind":"tip"}', '{"id":"1","kind":"raid"}']) {
    expect(readAlert(text), text).toBeNull();
  }
});
