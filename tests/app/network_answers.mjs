/* Reads {agents, observations} from stdin; writes the architectures that the page knows, and
   {probabilities, value} of every agent for every observation. */

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [folder] = process.argv.slice(2);
const { ARCHITECTURES, makeNetwork } = await import(pathToFileURL(`${folder}/networks.js`));
const { readWeights } = await import(pathToFileURL(`${folder}/weights.js`));
const { agents, observations } = JSON.parse(readFileSync(0, "utf8"));
const answers = agents.map((agent) => {
  const network = makeNetwork({ ...agent, weights: readWeights(agent) });
  return observations.map(network);
});
process.stdout.write(JSON.stringify({ architectures: ARCHITECTURES, answers }));
