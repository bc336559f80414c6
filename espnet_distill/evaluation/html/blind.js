"use strict";
const KEYS = {
  1: "play-a", 2: "play-b", 3: "play-x",
  a: "answer-a", b: "answer-b", 0: "answer-none",
  ArrowLeft: "answer-a", ArrowRight: "answer-b", ArrowDown: "answer-none",
  Backspace: "back",
};
const Z = 1.959963984540054; // 97.5 % of the standard normal distribution
const byId = (id) => document.getElementById(id);
const encoded = byId("key").textContent;
const bytes = Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0));
const key = JSON.parse(new TextDecoder().decode(bytes));
const total = key.trials.length;
const clips = JSON.parse(byId("clips").textContent);
const stored = `espnet-distill blind ${encoded}`;
const audio = new Audio();
const played = new Set();
const answers = restore(); // of the first trials, {answer, time} each

function restore() {
  try {
    return JSON.parse(localStorage.getItem(stored)) || [];
  } catch {
    return []; // a browser without storage for files
  }
}

function store() {
  try {
    localStorage.setItem(stored, JSON.stringify(answers));
  } catch {} // as above
}

function show() {
  const trial = key.trials[answers.length];
  audio.pause();
  byId("trial").hidden = !trial;
  byId("result").hidden = Boolean(trial);
  byId("progress").value = answers.length;
  byId("count").textContent = trial ? `${answers.length + 1} of ${total}` : "Done";
  byId("back").disabled = !answers.length;
  if (trial) {
    const hasRecording = trial.clips.x !== null;
    byId("text").textContent = trial.text;
    byId("question").textContent = hasRecording
      ? "Which is closer to the recording?"
      : "Which sounds better?";
    byId("play-x").hidden = !hasRecording;
  } else showResult();
  light();
}

function light(playing) {
  const trial = key.trials[answers.length];
  for (const name of ["a", "b", "x"]) {
    const button = byId(`play-${name}`);
    button.disabled = !trial || trial.clips[name] === null;
    button.classList.toggle("lit", name === playing);
    button.classList.toggle("played", played.has(name));
  }
  for (const name of ["a", "b", "none"])
    byId(`answer-${name}`).disabled = !trial || !played.has("a") || !played.has("b");
}

function play(name) {
  audio.src = clips[key.trials[answers.length].clips[name]];
  audio.play();
  played.add(name);
  light(name);
}

function answer(name) {
  answers.push({ answer: name, time: new Date().toISOString() });
  played.clear();
  store();
  show();
  byId(answers.length < total ? "play-a" : "json").focus();
}

function goBack() {
  answers.pop();
  played.add("a").add("b");
  store();
  show();
}

function startAgain() {
  answers.length = 0;
  played.clear();
  store();
  show();
}

/** Bounds of Wilson's 95 % interval of a proportion (Wilson, JASA 1927). */
function wilson(count, total) {
  const square = Z * Z;
  const middle = count + square / 2;
  const half = Z * Math.sqrt((count * (total - count)) / total + square / 4);
  return [middle - half, middle + half].map((bound) => bound / (total + square));
}

/** Answers with their sentences and systems, in the order of the trials. */
function answered() {
  return answers.map((one, index) => {
    const { utt, a, b } = key.trials[index];
    return { utt, a, b, ...one };
  });
}

/** Preferences of each pair of systems: {names, counts} of first, second and neither. */
function tally(lines) {
  const pairs = key.systems.flatMap((first, index) =>
    key.systems.slice(index + 1).map((second) => ({ names: [first, second], counts: [0, 0, 0] })));
  for (const { a, b, answer } of lines) {
    const { names, counts } = pairs.find(({ names }) => names.includes(a) && names.includes(b));
    const preferred = names.indexOf({ a, b }[answer]);
    counts[preferred < 0 ? 2 : preferred] += 1;
  }
  return pairs;
}

function showResult() {
  const lines = answered();
  byId("rows").replaceChildren(...tally(lines).map(toRow));
  const { evaluation, systems } = key;
  const content = { evaluation, systems, answers: lines };
  offer("json", "application/json", JSON.stringify(content, null, 1) + "\n");
  const table = [Object.keys(lines[0]), ...lines.map(Object.values)];
  offer("csv", "text/csv", table.map((cells) => cells.map(toCell).join(",") + "\n").join(""));
}

function toRow({ names, counts }) {
  const [first, second, neither] = counts;
  const decided = first + second;
  const row = document.createElement("tr");
  for (const text of [...names, decided + neither, ...counts, formatRate(first, decided)])
    row.appendChild(document.createElement("td")).textContent = text;
  return row;
}

function formatRate(count, total) {
  if (!total) return "–";
  const shares = [count / total, ...wilson(count, total)];
  const [rate, low, high] = shares.map((share) => (100 * share).toFixed(0));
  return `${rate} [${low}, ${high}]`;
}

function toCell(text) {
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function offer(format, type, text) {
  const time = answers.at(-1).time.replace(/\D/g, "").slice(0, 14);
  const link = byId(format);
  link.href = `data:${type};charset=utf-8,${encodeURIComponent(text)}`;
  link.download = `blind_${time}.${format}`;
}

for (const name of ["a", "b", "x"])
  byId(`play-${name}`).addEventListener("click", () => play(name));
for (const name of ["a", "b", "none"])
  byId(`answer-${name}`).addEventListener("click", () => answer(name));
byId("back").addEventListener("click", goBack);
byId("again").addEventListener("click", startAgain);
audio.addEventListener("ended", () => light());
document.addEventListener("keydown", (event) => {
  const id = KEYS[event.key.length > 1 ? event.key : event.key.toLowerCase()];
  const isShortcut = event.ctrlKey || event.altKey || event.metaKey; // of the browser
  if (!id || isShortcut || event.repeat || byId(id).disabled) return;
  event.preventDefault();
  byId(id).click();
});
show();
