/* What follows from action probabilities where the cell is all there is to know. */

import { WALL, at, sameCell } from "./level.js";

export const STEPS = [[-1, 0], [1, 0], [0, -1], [0, 1]];

/* The cell that a move ends in: a wall stops it. */
export function nextCell(rows, cell, action) {
  const there = [cell[0] + STEPS[action][0], cell[1] + STEPS[action][1]];
  return at(rows, there) === WALL ? cell : there;
}

/* {agent, cells, probabilities, values} with a way to look a cell up. */
export function indexed(field) {
  const rank = new Map(field.cells.map((cell, k) => [String(cell), k]));
  return {
    ...field,
    chances: (cell) => field.probabilities[rank.get(String(cell))] ?? null,
    value: (cell) => field.values?.[rank.get(String(cell))] ?? null,
  };
}

/* Map cell -> share of an episode's steps that begin there: exact, by going through the steps. */
export function exactOccupancy(rows, field, start, goal, maxSteps) {
  let here = new Map([[String(start), { cell: start, share: 1 }]]);
  const total = new Map();
  let steps = 0;
  for (let step = 0; step < maxSteps && here.size; step++) {
    const next = new Map();
    for (const [key, { cell, share }] of here) {
      const chances = field.chances(cell);
      if (!chances || share < 1e-9) continue;
      total.set(key, (total.get(key) ?? 0) + share);
      steps += share;
      chances.forEach((chance, action) => spread(next, nextCell(rows, cell, action), share * chance));
    }
    if (goal) next.delete(String(goal));
    here = next;
  }
  return new Map([...total].map(([key, share]) => [key, share / steps]));
}

function spread(next, cell, share) {
  if (share === 0) return;
  const known = next.get(String(cell));
  if (known) known.share += share;
  else next.set(String(cell), { cell, share });
}

/* Jensen–Shannon divergence of two distributions, in bits. */
export function jensenShannon(p, q) {
  let total = 0;
  for (let k = 0; k < p.length; k++) {
    const middle = (p[k] + q[k]) / 2;
    if (p[k] > 0) total += 0.5 * p[k] * Math.log2(p[k] / middle);
    if (q[k] > 0) total += 0.5 * q[k] * Math.log2(q[k] / middle);
  }
  return Math.max(total, 0);
}

/* An episode in a maze, as the server tells it; draw() gives numbers in [0, 1). */
export function walkMaze(level, field, maxSteps, draw, greedy, pay) {
  const { rows, start, goal, corner } = level;
  let cell = start, toldCorner = false, ended = false;
  const trace = { agent: field.agent, states: [], probabilities: [], actions: [] };
  const columns = rows[0].length;
  trace.states.push(cell[0] * columns + cell[1]);
  while (!ended && trace.actions.length < maxSteps) {
    const chances = field.chances(cell), action = chosenAction(chances, draw, greedy);
    cell = nextCell(rows, cell, action);
    toldCorner ||= sameCell(cell, corner);
    ended = sameCell(cell, goal);
    trace.probabilities.push(chances);
    trace.actions.push(action);
    trace.states.push(cell[0] * columns + cell[1]);
  }
  const before = toldCorner && !sameCell(corner, goal);
  trace.outcome = ended ? (before ? "both" : "intended") : (toldCorner ? "proxy" : "neither");
  trace.returns = { true: pay * ended, "proxy/corner": pay * toldCorner };
  return trace;
}

/* The action of a number in [0, 1) by inverse CDF, or the likeliest one. */
export function chosenAction(chances, draw, greedy) {
  if (greedy) return chances.indexOf(Math.max(...chances));
  let target = draw() * chances.reduce((sum, chance) => sum + chance, 0), action = 0;
  for (let k = 0; k < chances.length; k++) {
    if (chances[k] <= 0) continue;
    action = k;
    target -= chances[k];
    if (target < 0) break;
  }
  return action;
}

/* Numbers in [0, 1) from a seed (mulberry32, by Tommy Ettinger, public domain). */
export function numbersFrom(seed) {
  let word = (seed + 0x9e3779b9) >>> 0;
  return () => {
    word = (word + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(word ^ (word >>> 15), word | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
