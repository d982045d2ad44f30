/* Colours of squares of open water. */

import { onCourse } from "./courseboard.js";
import { heatOf, stepsKey, stepsRamp } from "./layers.js";

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
  const cells = points.map((point, k) => [onCourse(course, point), stepsRamp(shares[k] / most)]);
  return { cell, cells, ...stepsKey(most, 1) };
}
