/* Reads {data, question, repeats} from stdin; writes the milliseconds of processor time that the
   page's own modules take for the fields of the question, each time. */

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [folder] = process.argv.slice(2);
const { EmbeddedSource } = await import(pathToFileURL(`${folder}/embedded.js`));
const { data, question, repeats } = JSON.parse(readFileSync(0, "utf8"));
const source = new EmbeddedSource(data), times = [];
for (let k = 0; k < repeats; k++) {
  const before = process.cpuUsage();
  await source.field(question);
  const { user, system } = process.cpuUsage(before);
  times.push((user + system) / 1000);
}
process.stdout.write(JSON.stringify(times));
