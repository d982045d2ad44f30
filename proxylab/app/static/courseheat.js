/* Colours of squares of open water: where the steps of 64 episodes were spent. */

import { veil } from "./colours.js";
import { onCourse } from "./courseboard.js";

/* As heatOf, for a course: occupancy is {cell, points [[x, y]], shares} in world units. */
export function courseHeat(layer, side, other, course, rank) {
  if (!side.occupancy || (layer !== "occupancy" && layer !== "divergence")) return null;
  const own = sharesOf(side.occupancy), theirs = other.occupancy ? sharesOf(other.occupancy) : new Map();
  const numbers = layer === "occupancy" ? own : excess(own, theirs);
  const most = layer === "occupancy"
    ? Math.max(...own.values(), ...theirs.values())
    : Math.max(...excess(own, theirs).values(), ...excess(theirs, own).values(), 1e-9);
  const ramp = (share) => veil(side.hue, 0.9 * Math.sqrt(share));
  const cells = [...numbers].map(([key, share]) => [onCourse(course, key.split(",").map(Number)), ramp(share / most)]);
  const words = layer === "occupancy" ? "share of steps" : `more of its steps than agent ${rank ? "A" : "B"}`;
  return { cell: side.occupancy.cell, cells, low: "0 %", high: `${(100 * most).toFixed(1)} %`, words, ramp };
}

function sharesOf({ points, shares }) {
  return new Map(points.map((point, k) => [String(point), shares[k]]));
}

function excess(own, theirs) {
  return new Map([...own].map(([key, share]) => [key, share - (theirs.get(key) ?? 0)]).filter(([, more]) => more > 0));
}
