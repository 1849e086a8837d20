import { expect, test } from 'vitest';
import { clockAhead } from './channel';
import { soundUri } from './hls_js';
import { withNames } from './playback';
import { fulfils, SOUND_ONLY, wishFor } from './quality';
import { imageAt, readStoryboard } from './storyboard';
import { variants } from './variants';

const MULTIVARIANT = `#EXTM3U
#EXT-X-VERSION:9
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="sound",NAME="Sound",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="t/audio/index.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=2640000,CODECS="avc1.42e01f,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=30.000,AUDIO="sound"
t/v0/index.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=740000,CODECS="avc1.42e01f,mp4a.40.2",RESOLUTION=640x360,FRAME-RATE=30.000,AUDIO="sound"
t/v1/index.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=140000,CODECS="mp4a.40.2",AUDIO="sound"
t/audio/index.m3u8
`;

const layer = (height: number, bitrate: number) => ({
  width: (height * 16) / 9,
  height,
  bitrate,
  fps: 30,
  codec: null,
  active: true,
});

test('renditions and the sound are found in a multivariant playlist', () => {
  expect(variants(MULTIVARIANT)).toEqual(['t/v0/index.m3u8', 't/v1/index.m3u8']);
  expect(soundUri(MULTIVARIANT)).toBe('t/audio/index.m3u8');
  expect(soundUri('#EXTM3U\n')).toBeNull();
});

test('of several ways to the same renditions those of the first are told', () => {
  const of = (cdn: string) =>
    MULTIVARIANT.split('\n')
      .filter((line) => line && !/^#EXT(M3U|-X-VERSION)/.test(line))
      .map((line) => line.replace('/index.m3u8', `/index.${cdn}.m3u8`))
      .map((line) => (line.startsWith('#EXT-X-STREAM-INF') ? `${line},PATHWAY-ID="${cdn}"` : line));
  const both = ['#EXTM3U', '#EXT-X-VERSION:9', ...of('cdn2'), ...of('cdn1')].join('\n');
  expect(variants(both)).toEqual(['t/v0/index.cdn2.m3u8', 't/v1/index.cdn2.m3u8']);
  expect(soundUri(both)).toBe('t/audio/index.cdn2.m3u8');
});

test('a wish for a quality is fulfilled under another name, and sound alone everywhere', () => {
  const [high, low] = withNames([layer(720, 2e6), layer(360, 6e5)]);
  if (!high || !low) throw new Error('two layers');
  const qualities = [{ id: high.rid, layer: high }, { id: low.rid, layer: low }, SOUND_ONLY];
  const wish = wishFor({ id: 'l', layer: { ...low, rid: 'l' } });
  expect(fulfils(wish, qualities)?.id).toBe('360p');
  expect(fulfils(wishFor(SOUND_ONLY), qualities)).toBe(SOUND_ONLY);
  expect(fulfils(wishFor({ id: 'x', layer: { ...layer(1080, 1), rid: 'x' } }), qualities)).toBeNull();
  expect(withNames([layer(720, 2e6), layer(720, 1e6)]).map(({ rid }) => rid)).toEqual([
    '720p-2000000',
    '720p-1000000',
  ]);
});

test('a moment has the nearest picture, and none where there is none near', () => {
  const board = readStoryboard(
    {
      start_unix_ms: 1000,
      every_ms: 10_000,
      images: [
        { unix_ms: 21_000, uri: 'thumbs/21000.jpg' },
        { unix_ms: 11_000, uri: 'thumbs/11000.jpg' },
        { uri: 7 },
      ],
    },
    'http://host/hls/ada/storyboard.json',
  );
  if (!board) throw new Error('a storyboard');
  expect(imageAt(board, 14_000)).toBe('http://host/hls/ada/thumbs/11000.jpg');
  expect(imageAt(board, 30_000)).toBe('http://host/hls/ada/thumbs/21000.jpg');
  expect(imageAt(board, 90_000)).toBeNull();
  expect(readStoryboard({ images: 'no' }, 'http://host/')).toBeNull();
});

test('a clock that is off by more than can be told is corrected', () => {
  const now = Date.parse('2026-11-26T10:00:00Z');
  const ahead = (ms: number) => clockAhead(new Date(now + ms).toUTCString(), now);
  expect(ahead(1000)).toBe(0);
  expect(ahead(-60_000)).toBe(-59_500);
  expect(clockAhead(null, now)).toBe(0);
});
