/* The data source that holds everything itself: levels as text, networks, rules of the games. */

import { PIECES, WALL, findCell, rowsOf } from "./level.js";
import { makeNetwork, stepsFrom } from "./networks.js";
import { indexed, numbersFrom, walkMaze } from "./walks.js";
import { readWeights } from "./weights.js";
import { walkGarden, walkRace } from "./games.js";
import { courseField, courseLevel, placesOf, sail } from "./race.js";

const SAMPLED = 64, SAILED = 16;

export class EmbeddedSource {
  /* data: {catalogue, worlds: {name: {levels: {split: [text]}, …}}, agents, verdicts}. */
  constructor(data) {
    this.data = data;
    this.networks = new Map();
  }

  async catalogue() { return this.data.catalogue; }

  /* How many seeds there are in a world. */
  seeds(world) { return Object.values(this.data.worlds[world].levels)[0].length; }

  async level({ world, split, seed, spoke, targets }) {
    const levels = this.data.worlds[world].levels[split], level = levels[seed % levels.length];
    if (this.kind(world) === "course") return courseLevel(level, this.data.worlds[world].rules, spoke, targets);
    return this.described(world, level);
  }

  described(world, level) {
    const held = this.data.worlds[world], found = { level };
    if (held.rules) return courseLevel(level, held.rules);
    if (this.kind(world) === "maze") found.corner = cornerOf(rowsOf(level));
    if (held.arrows) found.arrows = held.arrows;
    return found;
  }

  kind(world) { return this.data.catalogue.worlds.find((entry) => entry.name === world).kind; }

  async field({ world, level, agents }) {
    return { ...this.described(world, level), fields: agents.map((agent) => this.fieldOf(world, level, agent)) };
  }

  /* What an agent would do from every cell. */
  fieldOf(world, level, agent) {
    const { rules } = this.data.worlds[world];
    if (rules) return courseField(level, rules, (observation) => this.network(agent)(observation), agent);
    const kind = this.kind(world), rows = rowsOf(level), left = { maze: "c", garden: "bd", race: "" }[kind];
    const cells = [], probabilities = [], values = [];
    rows.forEach((line, row) => [...line].forEach((character, col) => {
      if (character === WALL || left.includes(character)) return;
      const found = this.answer(world, agent, { kind, rows, cell: [row, col], arrows: this.data.worlds[world].arrows });
      cells.push([row, col]);
      probabilities.push(found.probabilities);
      values.push(found.value);
    }));
    return { agent, cells, probabilities, values: values.includes(null) ? null : values };
  }

  /* {probabilities, value} of an agent that stands somewhere. */
  answer(world, agent, place) {
    if (agent.startsWith("script:")) return { probabilities: scripted(agent, place), value: null };
    return this.network(agent)(observationOf(place));
  }

  network(agent) {
    if (!this.networks.has(agent)) {
      const held = this.data.agents[agent];
      this.networks.set(agent, makeNetwork({ ...held, weights: readWeights(held) }));
    }
    return this.networks.get(agent);
  }

  async episode({ world, level, agent, run, greedy }) {
    return this.play(world, level, agent, numbersFrom(run), greedy);
  }

  play(world, level, agent, draw, greedy) {
    const kind = this.kind(world), rows = rowsOf(level), held = this.data.worlds[world];
    if (held.rules) return sail(level, held.rules, (seen) => this.network(agent)(seen), draw, greedy, agent);
    const maxSteps = this.data.catalogue.worlds.find((entry) => entry.name === world).max_steps;
    const start = findCell(rows, PIECES[kind].walker);
    if (kind === "garden") {
      return walkGarden(rows, held, maxSteps, draw, greedy, (place) => this.answer(world, agent, { kind, rows, ...place }), agent);
    }
    const field = indexed(this.fieldOf(world, level, agent));
    if (kind === "race") return walkRace({ rows, start }, held, field, maxSteps, draw, greedy);
    const places = { rows, start, goal: findCell(rows, "c"), corner: cornerOf(rows) };
    return walkMaze(places, field, maxSteps, draw, greedy, held.pay);
  }

  async occupancy({ world, level, agent, run, greedy }) {
    const counts = new Map(), draw = numbersFrom(run), { rules } = this.data.worlds[world];
    if (rules) {
      const play = () => this.play(world, level, agent, draw, greedy).positions.slice(0, -1);
      return { episodes: SAILED, places: placesOf(Array.from({ length: SAILED }, play).flat()) };
    }
    let steps = 0;
    for (let k = 0; k < SAMPLED; k++) {
      const { states, actions } = this.play(world, level, agent, draw, greedy);
      for (const state of states.slice(0, actions.length)) counts.set(state, (counts.get(state) ?? 0) + 1);
      steps += actions.length;
    }
    return { episodes: SAMPLED, states: [...counts.keys()], shares: [...counts.values()].map((n) => n / steps) };
  }

  knownVerdict(world, agent) { return this.data.verdicts[agent] ?? { state: "failed", reason: "not judged when this file was made" }; }
}

/* The free cell in the top row and right column of a maze: the proxy goal. */
export function cornerOf(rows) {
  let top = Infinity, right = -1;
  rows.forEach((line, row) => [...line].forEach((character, col) => {
    if (character === WALL) return;
    [top, right] = [Math.min(top, row), Math.max(right, col)];
  }));
  return [top, right];
}

const PLANES = { maze: ["m", "c"], garden: ["a", "t", "T", "bd"], race: ["B", "^", "v", "<", ">"] };

/* The planes that a network sees: walls, the walker, then what else there is. */
export function observationOf({ kind, rows, cell, arrows, watered, fooled }) {
  const text = (arrows && kind === "race" ? arrows : rows.join("\n")).replaceAll("\n", "");
  const columns = rows[0].length, here = cell[0] * columns + cell[1];
  const plane = (characters) => Uint8Array.from(text, (c) => Number(characters.includes(c)));
  const planes = [plane(WALL), new Uint8Array(text.length), ...PLANES[kind].slice(1).map(plane)];
  planes[1][here] = 1;
  if (kind === "garden") showTomatoes(planes, text, here, watered, fooled);
  return planes;
}

/* Planes 2 and 3: tomatoes that look dry and watered; all look watered to one who is fooled. */
function showTomatoes(planes, text, here, watered, fooled) {
  let number = 0;
  [...text].forEach((character, cell) => {
    if (!"tT".includes(character)) return;
    const wet = cell === here || fooled || (watered ? watered[number] : character === "T");
    [planes[2][cell], planes[3][cell]] = [Number(!wet), Number(wet)];
    number++;
  });
}

/* A script of a maze: equal odds for the moves that shorten the way to its goal. */
function scripted(agent, { rows, cell }) {
  const goal = agent.endsWith("/optimal") ? findCell(rows, "c") : cornerOf(rows);
  const size = rows[0].length, walls = [...rows.join("")].map((c) => Number(c === WALL));
  const at = ([row, col]) => row * size + col, here = at(cell);
  const steps = walls[at(goal)] ? new Map() : stepsFrom(walls, size, at(goal)), own = steps.get(here);
  const good = [-size, size, -1, 1].map((by) => {
    const there = steps.get(walls[here + by] ? here : here + by);
    return Number(own !== undefined && there !== undefined && (there < own || (own === 0 && there === 0)));
  });
  const total = good.reduce((sum, n) => sum + n, 0);
  return good.map((n) => (total ? n / total : 0.25));
}
