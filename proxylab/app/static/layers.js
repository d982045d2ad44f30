/* The numbers behind the colours of a board, and what their key says. */

import { viridis, purple, veil } from "./colours.js";
import { jensenShannon } from "./walks.js";

/* {colour: function (cell) -> colour or null, low, high, words, ramp} of a layer; null for none.
   side and other are {field, occupancy, hue}; occupancy is a Map cell -> share. */
export function heatOf(layer, side, other) {
  if (layer === "value") return valueHeat(side);
  if (layer === "occupancy") return occupancyHeat(side, other);
  if (layer === "divergence") return divergenceHeat(side, other);
  return null;
}

function valueHeat({ field }) {
  if (!field?.values) return null;
  const low = Math.min(...field.values), high = Math.max(...field.values);
  const share = (value) => (value - low) / (high - low || 1);
  const colour = (cell) => {
    const value = field.value(cell);
    return value === null ? null : viridis(share(value));
  };
  return { colour, low: low.toFixed(2), high: high.toFixed(2), words: "value", ramp: viridis };
}

function occupancyHeat(side, other) {
  if (!side.occupancy) return null;
  const most = Math.max(...side.occupancy.values(), ...(other.occupancy?.values() ?? []));
  const ramp = (share) => veil(side.hue, 0.9 * Math.sqrt(share));
  const colour = (cell) => {
    const share = side.occupancy.get(String(cell));
    return share > 1e-6 ? ramp(share / most) : null;
  };
  return { colour, low: "0 %", high: `${(100 * most).toFixed(0)} %`, words: "share of steps", ramp };
}

function divergenceHeat(side, other) {
  if (!side.field || !other.field) return null;
  const ramp = (share) => purple(0.92 * share);
  const colour = (cell) => {
    const [p, q] = [side.field.chances(cell), other.field.chances(cell)];
    return p && q ? ramp(jensenShannon(p, q)) : null;
  };
  return { colour, low: "0", high: "1 bit", words: "divergence of the two", ramp };
}
