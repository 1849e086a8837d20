import { expect, test } from 'vitest';
import { choices, gatedEdit, gateEdit, gateFormOf, previewChoices } from './form';

test('a form holds what a stream has, and writes the same again', () => {
  const form = gateFormOf({ gate: { who: 'members', tier: 2 }, preview_seconds: 60 });
  expect(form).toEqual({ who: 'members', tier: 2, password: '', previewSeconds: 60 });
  expect(gatedEdit(form)).toEqual({ gate: { who: 'members', tier: 2 }, preview_seconds: 60 });
  expect(gateFormOf(null)).toMatchObject({ who: 'everyone', previewSeconds: 0 });
});

test('only what a gate has goes with it', () => {
  const form = { who: 'members', tier: 3, password: 'open sesame', previewSeconds: 30 } as const;
  expect(gateEdit(form)).toEqual({ who: 'members', tier: 3 });
  expect(gateEdit({ ...form, who: 'ticket' })).toEqual({ who: 'ticket' });
  expect(gateEdit({ ...form, who: 'password' })).toEqual({ who: 'password', password: 'open sesame' });
  expect(gateEdit({ ...form, who: 'password', password: '' }), 'it stays').toEqual({ who: 'password' });
  expect(gateEdit({ ...form, who: 'as_stream' })).toBeNull();
});

test('what is open to everyone has no free look', () => {
  expect(gatedEdit({ ...gateFormOf(null), previewSeconds: 60 })).toEqual({
    gate: { who: 'everyone' },
    preview_seconds: 0,
  });
});

test('what is paid for is offered where there are payments, and what is chosen stays to be seen', () => {
  expect(choices(true, 'everyone')).toEqual(['everyone', 'followers', 'members', 'ticket', 'password']);
  expect(choices(false, 'everyone')).toEqual(['everyone', 'followers', 'password']);
  expect(choices(false, 'members')).toEqual(['everyone', 'followers', 'members', 'password']);
});

test('a length that somebody chose elsewhere is among the choices', () => {
  expect(previewChoices(0)).toEqual([0, 30, 60, 120, 300]);
  expect(previewChoices(45)).toEqual([0, 30, 45, 60, 120, 300]);
});
