import { expect, test } from 'vitest';
import { bitrateName, layerName, parseLayers, resolutionName } from './layers';

test('layers come largest first, whatever their names and the m-line', () => {
  const set = parseLayers(
    JSON.stringify({
      '1': [
        {
          rid: '2',
          encodingId: '2',
          bitrate: 200_000,
          width: 320,
          height: 180,
          fps: 30,
          codec: 'H264',
          active: true,
        },
        {
          rid: '0',
          encodingId: '0',
          bitrate: 1_530_000,
          width: 1280,
          height: 720,
          fps: 30,
          codec: 'H264',
          active: true,
        },
        { rid: '1', encodingId: '1', width: 640, height: 360, codec: 'H264', active: false },
      ],
    }),
  );
  expect(set?.mediaId).toBe('1');
  expect(set?.layers.map(({ rid }) => rid)).toEqual(['0', '1', '2']);
  expect(set?.layers[1]?.active).toBe(false);
});

test('encodingId stands in for rid', () => {
  expect(parseLayers('{"0":[{"encodingId":"h","height":720,"width":1280}]}')?.layers[0]?.rid).toBe('h');
});

test('what is no layer list gives none', () => {
  for (const data of ['', 'null', '[]', '{"0":[]}', '7']) expect(parseLayers(data)).toBeNull();
});

test('names are what people call them', () => {
  expect(resolutionName(1280, 720, 30)).toBe('720p');
  expect(resolutionName(1920, 1080, 59.9)).toBe('1080p60');
  expect(resolutionName(720, 1280, 30)).toBe('720p');
  expect(bitrateName(1_530_000)).toBe('1.5 Mbit/s');
  expect(bitrateName(420_400)).toBe('420 kbit/s');
  expect(bitrateName(12_400_000)).toBe('12 Mbit/s');
  const layer = {
    rid: 'h',
    width: 1280,
    height: 720,
    bitrate: 1_530_000,
    fps: 30,
    codec: 'H264',
    active: true,
  };
  expect(layerName(layer)).toBe('720p · 1.5 Mbit/s');
  expect(layerName({ ...layer, width: null, height: null, bitrate: null })).toBe('Layer h');
});
