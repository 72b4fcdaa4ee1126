import { Conv1d, createConvolverNode, init, Tensor } from 'conv1d-wasm';

const taps = 511;
const byId = (id) => document.getElementById(id);
const say = (text) => (byId('state').textContent = text);

/** A windowed-sinc low-pass with its edge at `hertz`, for one channel. */
function lowPass(hertz, rate) {
  const middle = (taps - 1) / 2;
  const kernel = Float32Array.from({ length: taps }, (_, k) => {
    const x = (2 * Math.PI * hertz * (k - middle)) / rate;
    const blackman =
      0.42 - 0.5 * Math.cos((2 * Math.PI * k) / (taps - 1)) + 0.08 * Math.cos((4 * Math.PI * k) / (taps - 1));
    return blackman * (k === middle ? 1 : Math.sin(x) / x);
  });
  const sum = kernel.reduce((a, b) => a + b);
  return kernel.map((w) => w / sum);
}

let playing = null;

async function start(makeSource) {
  try {
    playing?.context.close();
    const context = new AudioContext();
    await init();
    const layer = new Conv1d({ inChannels: 1, outChannels: 1, kernelSize: taps, padding: 'causal', bias: false });
    layer.weight = new Tensor(lowPass(+byId('edge').value, context.sampleRate), [1, 1, taps]);
    const node = await createConvolverNode(context, { source: layer });
    (await makeSource(context)).connect(node).connect(context.destination);
    playing = { context, layer, node };
    say(`Playing at ${context.sampleRate} Hz; the filter adds ${node.latency} samples of delay.`);
  } catch (error) {
    say(`It does not play: ${error.message}`);
  }
}

function makeChord(context) {
  const mix = new GainNode(context, { gain: 0.1 });
  for (const frequency of [110, 138.6, 164.8, 220]) {
    const oscillator = new OscillatorNode(context, { type: 'sawtooth', frequency });
    oscillator.connect(mix);
    oscillator.start();
  }
  return mix;
}

async function openMicrophone(context) {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: false } });
  return new MediaStreamAudioSourceNode(context, { mediaStream: stream });
}

function moveEdge() {
  const hertz = +byId('edge').value;
  byId('edge-text').textContent = `${hertz} Hz`;
  if (!playing) return;
  playing.layer.weight = new Tensor(lowPass(hertz, playing.context.sampleRate), [1, 1, taps]);
  playing.node.update(playing.layer, { fade: 0.02 });
}

byId('synth').onclick = () => start(makeChord);
byId('microphone').onclick = () => start(openMicrophone);
byId('edge').oninput = moveEdge;
moveEdge();
