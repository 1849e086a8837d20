import { expect, test } from 'vitest';
import { elementCode, frameCode, sharedChannel, sharedVideo } from './codes';

const ORIGIN = 'https://live.example';

test('a frame has its size, or fills the width that there is', () => {
  const ada = sharedChannel('ada', 'Ada');
  expect(frameCode(ada, ORIGIN, 640, null)).toContain('width="640" height="360"');
  expect(frameCode(ada, ORIGIN, null, null)).toContain('width:100%;aspect-ratio:16/9');
  expect(frameCode(ada, ORIGIN, 640, null)).toContain('src="https://live.example/embed/ada"');
  const video = sharedVideo('0189', 'First light');
  expect(frameCode(video, ORIGIN, 480, '1m5s')).toContain(
    'src="https://live.example/embed/videos/0189?t=1m5s"',
  );
});

test('the element names what it plays and where its script is', () => {
  const code = elementCode(sharedVideo('0189', 'First light'), ORIGIN, 960, '30s');
  expect(code).toContain('<script type="module" src="https://live.example/player.js"></script>');
  expect(code).toContain(
    '<tallylight-player video="0189" start="30s" autoplay muted controls style="width:960px">',
  );
});

test('a title cannot leave its attribute', () => {
  const code = frameCode(sharedChannel('ada', '"><script>alert(1)</script>'), ORIGIN, 640, null);
  expect(code).not.toContain('<script');
});
