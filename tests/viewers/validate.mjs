// Prints the validator's report of a file as JSON. Arguments: the file; gltf-validator's folder.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [file, modules] = process.argv.slice(2);
const validator = createRequire(`${modules}/`)("gltf-validator");
const report = await validator.validateBytes(new Uint8Array(readFileSync(file)));
console.log(JSON.stringify({ issues: report.issues, info: report.info }));
