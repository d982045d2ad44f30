/* Reads {data, questions} from stdin and writes what the page's own modules answer. */

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [folder] = process.argv.slice(2);
const { EmbeddedSource } = await import(pathToFileURL(`${folder}/embedded.js`));
const { data, questions } = JSON.parse(readFileSync(0, "utf8"));
const source = new EmbeddedSource(data);
const answers = [];
for (const [name, question] of questions) answers.push(await source[name](question));
process.stdout.write(JSON.stringify(answers));
