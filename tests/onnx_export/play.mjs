// node play.mjs FOLDER: run graph.onnx by onnxruntime-web on one thread, and write wave.f32
import fs from "node:fs";
import { pathToFileURL } from "node:url";

const [folder] = process.argv.slice(2);
const read = (name) => fs.readFileSync(`${folder}/${name}`);
const ort = await import(pathToFileURL(`${folder}/ort.mjs`));
ort.env.wasm.numThreads = 1;
ort.env.wasm.wasmBinary = read("ort.wasm");
const { ids, scales } = JSON.parse(read("inputs.json"));
const whole = (values) => BigInt64Array.from(values, BigInt);
const session = await ort.InferenceSession.create(read("graph.onnx"));
const { output } = await session.run({
  input: new ort.Tensor("int64", whole(ids), [1, ids.length]),
  input_lengths: new ort.Tensor("int64", whole([ids.length]), [1]),
  scales: new ort.Tensor("float32", Float32Array.from(scales), [3]),
});
fs.writeFileSync(`${folder}/wave.f32`, Buffer.from(output.data.buffer, output.data.byteOffset, output.data.byteLength));
