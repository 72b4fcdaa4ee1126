// A loop to play where there is neither a microphone nor a file: drums, a bass and chords over two bars.
import { normal } from '../common/random';

const beatsPerMinute = 112;
const beats = 8;
const turn = 2 * Math.PI;

const hertz = (midi: number) => 440 * 2 ** ((midi - 69) / 12);

/** `voice(t)` from `beat` on, `seconds` long; what hangs over the end sounds at the beginning. */
type Play = (beat: number, seconds: number, pan: number, voice: (t: number) => number) => void;

function playDrums(play: Play): void {
  const noise = normal(1);
  for (const beat of [0, 2.5, 4, 6.5]) {
    play(beat, 0.35, 0, (t) => 0.8 * Math.exp(-9 * t) * Math.sin(turn * (48 * t + 5 * (1 - Math.exp(-30 * t)))));
  }
  for (const beat of [1, 3, 5, 7]) {
    play(beat, 0.25, 0.1, (t) => 0.22 * Math.exp(-18 * t) * (noise() + Math.sin(turn * 190 * t)));
  }
  for (let beat = 0; beat < beats; beat += 0.5) {
    let last = 0;
    play(beat, 0.08, beat % 1 === 0 ? -0.4 : 0.4, (t) => {
      const now = noise();
      const high = now - last;
      last = now;
      return 0.05 * Math.exp(-60 * t) * high;
    });
  }
}

function playBass(play: Play): void {
  const notes = [33, 33, 45, 33, 29, 29, 41, 29];
  notes.forEach((note, beat) => {
    const step = turn * hertz(note);
    play(beat, 0.5, 0, (t) => {
      const brightness = 6 * Math.exp(-7 * t) + 1;
      let sum = 0;
      for (let k = 1; k <= brightness + 1; ++k) sum += (Math.min(1, brightness + 1 - k) * Math.sin(step * k * t)) / k;
      return 0.22 * Math.min(1, 300 * t) * Math.exp(-3.5 * t) * sum;
    });
  });
}

function playChords(play: Play): void {
  const chords = [
    { at: [0, 1.5, 3], notes: [57, 60, 64, 67] },
    { at: [4, 5.5, 7], notes: [57, 60, 64, 65] },
  ];
  for (const { at, notes } of chords) {
    for (const beat of at) {
      notes.forEach((note, i) => {
        const step = turn * hertz(note + 12);
        play(beat, 0.9, (i - 1.5) / 2, (t) => {
          const tone =
            Math.sin(step * t) + 0.5 * Math.sin(2 * step * t) + 0.3 * Math.exp(-9 * t) * Math.sin(5 * step * t);
          return 0.07 * Math.min(1, 200 * t) * Math.exp(-5 * t) * tone;
        });
      });
    }
  }
}

/** The loop, in two channels. */
export function makeLoop(sampleRate: number): AudioBuffer {
  const secondsPerBeat = 60 / beatsPerMinute;
  const length = Math.round(beats * secondsPerBeat * sampleRate);
  const buffer = new AudioBuffer({ numberOfChannels: 2, length, sampleRate });
  const [left, right] = [buffer.getChannelData(0), buffer.getChannelData(1)];
  const play: Play = (beat, seconds, pan, voice) => {
    const start = Math.round(beat * secondsPerBeat * sampleRate);
    const angle = ((pan + 1) * Math.PI) / 4;
    for (let i = 0; i < seconds * sampleRate; ++i) {
      const value = voice(i / sampleRate);
      const at = (start + i) % length;
      left[at] = (left[at] ?? 0) + Math.SQRT2 * Math.cos(angle) * value;
      right[at] = (right[at] ?? 0) + Math.SQRT2 * Math.sin(angle) * value;
    }
  };
  playDrums(play);
  playBass(play);
  playChords(play);
  return buffer;
}
