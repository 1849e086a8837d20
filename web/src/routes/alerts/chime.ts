let context: AudioContext | null = null;

/** Two short notes. Silent where the browser does not let a page make sound by itself. */
export function chime(): void {
  try {
    context ??= new AudioContext();
    void context.resume();
    note(context, 660, 0);
    note(context, 880, 0.14);
  } catch {
    // Alerts are seen without it as well.
  }
}

function note(context: AudioContext, hertz: number, after: number): void {
  const start = context.currentTime + after;
  const [tone, volume] = [context.createOscillator(), context.createGain()];
  tone.frequency.value = hertz;
  volume.gain.setValueAtTime(0, start);
  volume.gain.linearRampToValueAtTime(0.2, start + 0.02);
  volume.gain.exponentialRampToValueAtTime(0.001, start + 0.5);
  tone.connect(volume).connect(context.destination);
  tone.start(start);
  tone.stop(start + 0.5);
}
