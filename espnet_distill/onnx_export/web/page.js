"use strict";

const PAUSE = 0.2; // seconds between sentences
const MOST = 300; // phonemes that are synthesized at once
const WORD =
  /[\p{L}\p{M}]+(?:['’][\p{L}\p{M}]+)*|\p{N}+|(?<!\p{N})[.,:]|[.,:](?!\p{N})|[;?!%&—–…]|\n\s*\n/gu;
const MARK = /^[.,;:?!]$/;
const ENDED = /[.,;:?!\n]$/; // phonemes that no mark follows
const PAUSES = { "—": ";", "–": ";", "…": "," };
const { settings } = VOICE;
const rate = settings.audio.sample_rate;
const byId = (name) => document.getElementById(name);
let session, Tensor, lexicon, wave;

async function unpack(packed) {
  const bytes = Uint8Array.from(atob(packed), (char) => char.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function load() {
  const parts = [RUNTIME.module, RUNTIME.wasm, VOICE.graph].map(unpack);
  const [code, wasm, graph] = await Promise.all(parts);
  const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  const ort = await import(url);
  ort.env.wasm.wasmBinary = wasm.buffer;
  ort.env.wasm.numThreads = 1;
  Tensor = ort.Tensor;
  session = await ort.InferenceSession.create(graph, { executionProviders: ["wasm"] });
  await run(Object.values(settings.phoneme_id_map).flat().slice(0, 20)); // allocates
}

async function loadLexicon() {
  const text = new TextDecoder().decode(await unpack(VOICE.lexicon));
  lexicon = new Map();
  for (const line of text.split("\n")) {
    const [word, ...phonemes] = line.split(" ");
    const joined = phonemes.join("").replaceAll("▁", " ").trim();
    if (joined && !lexicon.has(word)) lexicon.set(word, joined);
  }
}

function phonemesOf(text) {
  const missing = new Set();
  let phonemes = "";
  for (const [found] of text.normalize("NFC").toLowerCase().matchAll(WORD)) {
    const word = lexicon.get(found.replace("’", "'"));
    const mark = MARK.test(found) ? found : PAUSES[found];
    if (mark) {
      if (phonemes && !ENDED.test(phonemes)) phonemes += mark;
    } else if (!found.trim()) {
      if (phonemes) phonemes += "\n"; // a blank line ends a sentence
    } else if (word) {
      phonemes += (/.$/.test(phonemes) ? " " : "") + word;
    } else {
      missing.add(found);
    }
  }
  return [phonemes, [...missing]];
}

const hasId = (symbol) => Object.hasOwn(settings.phoneme_id_map, symbol);

function letterOf(char) {
  return [char, char.toUpperCase(), char.toLowerCase()].find(hasId) ?? char;
}

function symbolsOf(phonemes) {
  if (settings.phoneme_type === "ids") {
    return phonemes.split(" ").map((one) => (one === "<space>" ? " " : one));
  }
  if (settings.phoneme_type !== "text") return [...phonemes.normalize("NFD")];
  const letters = [...phonemes.normalize(VOICE.composed ? "NFC" : "NFD")];
  return letters.flatMap((char) =>
    hasId(letterOf(char)) ? [letterOf(char)] : [...char.normalize("NFD")].map(letterOf),
  );
}

function sentencesOf(phonemes) {
  const isOfIds = settings.phoneme_type === "ids";
  const end = isOfIds ? /(?<=(?:^|\s)[.?!])\s+<space>\s+|\n+/ : /(?<=[.?!])\s+|\n+/;
  return phonemes.split(end).map((one) => one.trim().replace(/\s+/g, " "));
}

// Cut a long sentence as the runtime does: the cost of attention is quadratic.
function cut(symbols) {
  if (symbols.length <= MOST) return [symbols];
  const middle = symbols.length >> 1;
  const inner = [...symbols.keys()].slice(1, -1);
  const spaces = inner.filter((at) => symbols[at] === " ");
  const marks = spaces.filter((at) => MARK.test(symbols[at - 1]));
  const near = (one, other) => (Math.abs(other - middle) < Math.abs(one - middle) ? other : one);
  const places = marks.length ? marks : spaces;
  const at = places.length ? places.reduce(near) : middle;
  return [...cut(symbols.slice(0, at)), ...cut(symbols.slice(at + (places.length > 0)))];
}

function idsOf(symbols) {
  const map = settings.phoneme_id_map;
  const known = symbols.filter(hasId);
  if (!known.some((one) => /[\p{L}\p{M}\p{N}]/u.test(one))) return [];
  return ["^", "_", ...known.flatMap((one) => [one, "_"]), "$"].flatMap((one) => map[one]);
}

// Ids of a sentence, in pieces if it is long.
function piecesOf(phonemes) {
  return cut(symbolsOf(phonemes)).map(idsOf).filter((ids) => ids.length);
}

async function run(ids) {
  const { noise_scale = 0.667, length_scale = 1, noise_w = 0.8 } = settings.inference ?? {};
  const scales = [noise_scale, length_scale / Number(byId("speed").value), noise_w];
  const whole = (values) => BigInt64Array.from(values, BigInt);
  const inputs = {
    input: new Tensor("int64", whole(ids), [1, ids.length]),
    input_lengths: new Tensor("int64", whole([ids.length]), [1]),
    scales: new Tensor("float32", Float32Array.from(scales), [3]),
  };
  if (settings.num_speakers > 1) {
    inputs.sid = new Tensor("int64", whole([byId("speaker").value]), [1]);
  }
  const outputs = await session.run(inputs);
  return outputs[session.outputNames[0]].data;
}

async function synthesize(phonemes) {
  const pieces = [];
  for (const sentence of sentencesOf(phonemes)) {
    const parts = piecesOf(sentence);
    if (parts.length && pieces.length) pieces.push(new Float32Array(Math.floor(PAUSE * rate)));
    for (const ids of parts) pieces.push(await run(ids));
  }
  const samples = new Float32Array(pieces.reduce((sum, one) => sum + one.length, 0));
  let at = 0;
  for (const piece of pieces) {
    samples.set(piece, at);
    at += piece.length;
  }
  return samples;
}

function wavOf(samples) {
  const view = new DataView(new ArrayBuffer(44 + 2 * samples.length));
  const write = (at, text) => [...text].forEach((c, i) => view.setUint8(at + i, c.charCodeAt(0)));
  write(0, "RIFF");
  view.setUint32(4, 36 + 2 * samples.length, true);
  write(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, 2 * rate, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  write(36, "data");
  view.setUint32(40, 2 * samples.length, true);
  samples.forEach((sample, i) => {
    view.setInt16(44 + 2 * i, 32767 * Math.max(-1, Math.min(1, sample)), true);
  });
  return new Blob([view], { type: "audio/wav" });
}

function draw() {
  const canvas = byId("waveform"), scale = window.devicePixelRatio || 1;
  const width = (canvas.width = Math.round(canvas.clientWidth * scale));
  const height = (canvas.height = Math.round(canvas.clientHeight * scale));
  if (!wave) return;
  const context = canvas.getContext("2d"), style = getComputedStyle(document.documentElement);
  const audio = byId("audio");
  const played = (audio.currentTime / (wave.length / rate)) * width;
  for (let x = 0; x < width; x += 1) {
    const first = Math.floor((x / width) * wave.length);
    const last = Math.max(first + 1, Math.floor(((x + 1) / width) * wave.length));
    let low = 0, high = 0;
    for (let i = first; i < last; i += 1) {
      low = Math.min(low, wave[i]);
      high = Math.max(high, wave[i]);
    }
    context.fillStyle = style.getPropertyValue(x < played ? "--accent" : "--soft");
    const top = (1 - high) * (height / 2), bottom = (1 - low) * (height / 2);
    context.fillRect(x, top, 1, Math.max(scale, bottom - top));
  }
  if (!audio.paused) requestAnimationFrame(draw);
}

function show(message, failed = false) {
  byId("status").textContent = message;
  byId("status").classList.toggle("failed", failed);
}

async function synthesizeAndShow(play) {
  byId("synthesize").disabled = true;
  try {
    const started = performance.now();
    const samples = await synthesize(byId("phonemes").value);
    const took = (performance.now() - started) / 1000, seconds = samples.length / rate;
    if (!samples.length) {
      show("There are no phonemes of this voice to synthesize.", true);
      return;
    }
    wave = samples;
    const audio = byId("audio"), download = byId("download");
    URL.revokeObjectURL(audio.src);
    audio.src = download.href = URL.createObjectURL(wavOf(wave));
    download.hidden = false;
    const times = (seconds / took).toPrecision(2);
    show(`${seconds.toFixed(2)} s of audio in ${took.toFixed(2)} s, ${times} × real time`);
    draw();
    if (play) await audio.play();
  } catch (error) {
    show(`The synthesis failed: ${error.message}`, true);
  } finally {
    byId("synthesize").disabled = false;
  }
}

function readText() {
  const [phonemes, missing] = phonemesOf(byId("text").value);
  byId("phonemes").value = phonemes;
  byId("missing").hidden = !missing.length;
  byId("missing").textContent = `Not in the lexicon, left out: ${missing.join(", ")}`;
}

function take(example) {
  byId("text").value = example.text;
  byId("phonemes").value = example.phonemes;
  byId("missing").hidden = true;
}

function describe() {
  const megabytes = (VOICE.bytes / 1e6).toFixed(1);
  document.title = byId("name").textContent = VOICE.name;
  byId("facts").textContent = `${megabytes} MB, ${rate} Hz`;
  byId("version").textContent = RUNTIME.version;
  byId("card").hidden = !VOICE.card;
  const speakers = Object.entries(settings.speaker_id_map ?? {});
  for (let id = 0; !speakers.length && id < settings.num_speakers; id += 1) {
    speakers.push([`${id}`, id]);
  }
  byId("speaker-field").hidden = settings.num_speakers < 2;
  byId("speaker").append(...speakers.map(([name, id]) => new Option(name, id)));
  byId("text-field").hidden = !VOICE.lexicon;
  byId("examples").hidden = VOICE.examples.length < 2;
  for (const example of VOICE.examples) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = example.text;
    button.onclick = () => take(example);
    byId("examples").append(button);
  }
  if (VOICE.examples.length) take(VOICE.examples[0]);
}

byId("form").onsubmit = (event) => {
  event.preventDefault();
  synthesizeAndShow(true);
};
byId("text").oninput = readText;
byId("speed").oninput = () => {
  byId("speed-shown").textContent = Number(byId("speed").value).toFixed(1);
};
byId("audio").onplay = draw;
byId("audio").onseeked = draw;
byId("waveform").onclick = (event) => {
  if (!wave) return;
  const share = event.offsetX / byId("waveform").clientWidth;
  byId("audio").currentTime = (share * wave.length) / rate;
  byId("audio").play();
};
window.onresize = draw;

describe();
Promise.all([load(), VOICE.lexicon && loadLexicon()]).then(
  () => {
    byId("synthesize").disabled = false;
    show("Ready.");
    if (byId("phonemes").value) synthesizeAndShow(false);
  },
  (error) => show(`The voice cannot be loaded: ${error.message}`, true),
);
