// Times each expression of `jsonata.json` here and in the reference implementation, one beside the other.
//
//   npm install --prefix /tmp/jsonata jsonata      (anywhere outside of the repository)
//   JSONATA=/tmp/jsonata/node_modules/jsonata node asl/benches/jsonata.mjs
//
// Both sides get the same inputs, which an expression of the same file makes, compile once and are warm;
// both figures are the median of single evaluations. Ours is the engine's way: from a JSON document, with
// a session of its own, to a JSON document. Exits with 1 if one of ours is not faster.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const WARM_MILLIS = 300;
const TIMED_MILLIS = 500;
const TIMED_MIN = 20;

const require = createRequire(import.meta.url);
const jsonata = require(process.env.JSONATA ?? "jsonata");
const file = JSON.parse(readFileSync(new URL("jsonata.json", import.meta.url)));

async function reference() {
  const inputs = {};
  for (const [name, text] of Object.entries(file.inputs)) {
    inputs[name] = JSON.parse(JSON.stringify(await jsonata(text).evaluate()));
  }
  const medians = {};
  for (const [name, input, text] of file.cases) {
    const expression = jsonata(text);
    const bindings = { states: { input: inputs[input] } };
    const times = [];
    for (let end = performance.now() + WARM_MILLIS; performance.now() < end; ) {
      await expression.evaluate(undefined, bindings);
    }
    for (let end = performance.now() + TIMED_MILLIS; performance.now() < end || times.length < TIMED_MIN; ) {
      const start = process.hrtime.bigint();
      await expression.evaluate(undefined, bindings);
      times.push(Number(process.hrtime.bigint() - start));
    }
    times.sort((a, b) => a - b);
    medians[name] = times[times.length >> 1];
  }
  return medians;
}

// The third column of the bench's table is the median.
function ours() {
  const arguments_ = ["bench", "--package", "asl", "--bench", "jsonata", "--", "--sample-count", "200"];
  const table = execFileSync("cargo", arguments_, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
  const nanos = { ns: 1, "µs": 1e3, ms: 1e6, s: 1e9 };
  const medians = {};
  for (const line of table.split("\n")) {
    const row = /─ (\S+) .*│.*│ ([\d.]+) (\S+) +│.*│/.exec(line);
    if (row) medians[row[1]] = Number(row[2]) * nanos[row[3]];
  }
  return medians;
}

const here = ours();
const there = await reference();
const micros = (nanos) => (nanos / 1e3).toFixed(nanos < 1e5 ? 2 : 0).padStart(12);
let slower = 0;
console.log(`${"expression".padEnd(22)}${"ours, us".padStart(12)}${"Node's, us".padStart(12)}  times faster`);
for (const [name] of file.cases) {
  const times = there[name] / here[name];
  slower += times > 1 ? 0 : 1;
  console.log(`${name.padEnd(22)}${micros(here[name])}${micros(there[name])}${times.toFixed(1).padStart(12)}`);
}
console.log(slower === 0 ? "each is faster here" : `${slower} are slower here`);
process.exit(slower === 0 ? 0 : 1);
