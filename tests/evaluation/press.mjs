// Press keys on a blind.html: node press.mjs PAGE, with {keys, stored, intervals} as JSON on stdin.
// Prints what the page shows then, and Wilson's intervals of [count, total] pairs. A `stored` of
// false is a browser without storage.
import { readFileSync } from "node:fs";
import { runInThisContext } from "node:vm";

const page = readFileSync(process.argv[2], "utf-8");
const { keys, stored, intervals } = JSON.parse(readFileSync(0, "utf-8"));
const elements = {}, played = [];
let press;

function element(textContent = "") {
  const classes = new Set(), children = [];
  let click;
  return {
    textContent, children, classes,
    classList: { toggle: (name, on) => (on ? classes.add(name) : classes.delete(name)) },
    addEventListener: (kind, call) => { click = call; },
    appendChild: (child) => (children.push(child), child),
    replaceChildren: (...others) => children.splice(0, children.length, ...others),
    click() { if (!this.disabled) click(); },
    focus() {},
  };
}

for (const [, id] of page.matchAll(/ id="([\w-]+)"/g)) elements[id] = element();
for (const [, id, text] of page.matchAll(/<script id="(\w+)"[^>]*>([^<]*)</g)) elements[id] = element(text);
globalThis.document = {
  getElementById: (id) => elements[id],
  createElement: () => element(),
  addEventListener: (kind, call) => { press = call; },
};
globalThis.Audio = class {
  addEventListener() {}
  pause() {}
  play() { played.push(this.src); }
};
const storage = { ...stored };
Object.defineProperty(globalThis, "localStorage", {
  get() {
    if (stored === false) throw new Error("denied");
    return { getItem: (name) => storage[name] ?? null, setItem: (name, text) => { storage[name] = text; } };
  },
});
const [, script] = page.match(/<script>([^]*)<\/script>/);
runInThisContext(script);
for (const key of keys) press({ key, preventDefault() {} });
const { progress, count, question, text, json, csv, rows, trial, result } = elements;
console.log(JSON.stringify({
  played, storage, value: progress.value, count: count.textContent,
  question: question.textContent, text: text.textContent,
  hidden: { trial: trial.hidden, result: result.hidden, x: elements["play-x"].hidden },
  disabled: Object.keys(elements).filter((id) => elements[id].disabled),
  json: json.href, csv: csv.href, download: json.download,
  rows: rows.children.map((row) => row.children.map((cell) => String(cell.textContent))),
  intervals: intervals.map((counts) => runInThisContext(`wilson(${counts})`)),
}));
