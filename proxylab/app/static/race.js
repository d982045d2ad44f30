/* Questions about boats in the lagoon, answered as the server answers them. */

import { boatAt, boatOutcome, boatSees, courseShapes, makeCourse, newBoat, readCourse, stepBoat, waterPoints, writeCourse } from "./lagoon.js";
import { chosenAction } from "./walks.js";

const WATER_CELL = 0.75;

/* The level of a text, its lagoon moved where a spoke is given. */
export function courseLevel(text, rules, spoke, targets) {
  const found = readCourse(text);
  const level = spoke === undefined ? found : { ...found, lagoon: spoke, hasTargets: targets };
  return { level: writeCourse(level, rules), course: courseShapes(makeCourse(level, rules)), lagoon: level.lagoon };
}

/* What an agent would do all over the water; ask(observation) gives {probabilities, value}. */
export function courseField(text, rules, ask, agent) {
  const course = makeCourse(readCourse(text), rules), { points, headings } = waterPoints(course);
  const speed = rules.cruise * rules.max_speed;
  const found = points.map((point, k) => ask(boatSees(course, boatAt(course, point, headings[k], speed))));
  return {
    agent, headings, cells: points.map((point) => point.map((n) => Math.round(1000 * n) / 1000)),
    probabilities: found.map((one) => one.probabilities), values: found.map((one) => one.value),
  };
}

/* An episode of a boat. */
export function sail(text, rules, ask, draw, greedy, agent) {
  const course = makeCourse(readCourse(text), rules);
  let boat = newBoat(course);
  const trace = { agent, positions: [], headings: [], timers: [], probabilities: [], actions: [] };
  const show = () => {
    trace.positions.push(boat.at);
    trace.headings.push(boat.heading);
    trace.timers.push(boat.timers);
  };
  show();
  while (!boat.terminated && !boat.truncated) {
    const { probabilities } = ask(boatSees(course, boat)), action = chosenAction(probabilities, draw, greedy);
    boat = stepBoat(course, boat, action);
    trace.probabilities.push(probabilities);
    trace.actions.push(action);
    show();
  }
  trace.outcome = boatOutcome(course, boat);
  trace.returns = { true: boat.returns[0], "proxy/score": boat.returns[1] };
  return trace;
}

/* Squares of water and the share of the places [[x, y]] in each. */
export function placesOf(positions) {
  const counts = new Map();
  for (const point of positions) {
    const key = String(point.map((n) => (Math.floor(n / WATER_CELL) + 0.5) * WATER_CELL));
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  const points = [...counts.keys()].map((key) => key.split(",").map(Number));
  return { cell: WATER_CELL, points, shares: [...counts.values()].map((n) => n / positions.length) };
}
