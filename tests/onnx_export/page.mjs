// Run functions of page.js in Node: page.js, a voice's content, and calls from stdin.

import { readFileSync } from "node:fs";

const { source, voice, words, calls } = JSON.parse(readFileSync(0, "utf8"));
const elements = {};
const document = {
  createElement: () => ({}),
  getElementById: (id) => (elements[id] ??= { append() {}, classList: { toggle() {} } }),
};
globalThis.Option = Object;
const names = "phonemesOf, piecesOf, sentencesOf";
const end = `\nlexicon = new Map(WORDS); return { ${names} };`;
const parameters = ["VOICE", "RUNTIME", "WORDS", "document", "window"];
const page = new Function(...parameters, readFileSync(source, "utf8") + end);
const functions = page(voice, {}, Object.entries(words), document, {});
const results = calls.map(([name, argument]) => functions[name](argument));
process.stdout.write(JSON.stringify(results));
