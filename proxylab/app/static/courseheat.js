/* Colours of squares of open water. */

import { veil } from "./colours.js";
import { onCourse } from "./courseboard.js";
import { heatOf } from "./layers.js";

/* As heatOf, for a course: {cell: side of a square, cells: [[middle, colour]]} besides. */
export function courseHeat(layer, side, other, course) {
  if (layer === "occupancy") return side.occupancy && sailedHeat(side, other, course);
  const heat = heatOf(layer, side, other);
  if (!heat) return null;
  const cells = side.field.cells.map((point) => [onCourse(course, point), heat.colour(point)]);
  return { ...heat, cell: course.spacing, cells: cells.filter(([, colour]) => colour) };
}

/* Where the steps of 64 episodes were spent: occupancy is {cell, points [[x, y]], shares}. */
function sailedHeat(side, other, course) {
  const { cell, points, shares } = side.occupancy;
  const most = Math.max(...shares, ...(other.occupancy?.shares ?? []));
  const ramp = (share) => veil(side.hue, 0.9 * Math.sqrt(share));
  const cells = points.map((point, k) => [onCourse(course, point), ramp(shares[k] / most)]);
  return { cell, cells, low: "0 %", high: `${(100 * most).toFixed(1)} %`, words: "share of steps", ramp };
}
