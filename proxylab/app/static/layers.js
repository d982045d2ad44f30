/* The numbers behind the colours of a board, and what their key says. */

import { viridis, purple } from "./colours.js";
import { jensenShannon } from "./walks.js";

/* {colour: function (cell) -> colour or null, low, high, words, ramp} of a layer; null for none.
   side and other are {field, occupancy}; occupancy is a Map cell -> share. Both boards have one scale. */
export function heatOf(layer, side, other) {
  if (layer === "value") return valueHeat(side, other);
  if (layer === "occupancy") return occupancyHeat(side, other);
  if (layer === "divergence") return divergenceHeat(side, other);
  return null;
}

/* The scale ends at percentiles, so that a few outlying cells do not take all of its colours. */
const CLIPPED = 0.02;

function valueHeat({ field }, other) {
  if (!field?.values) return null;
  const all = [...field.values, ...(other.field?.values ?? [])].sort((a, b) => a - b);
  const [low, high] = [quantile(all, CLIPPED), quantile(all, 1 - CLIPPED)];
  const share = (value) => (value - low) / (high - low || 1);
  const colour = (cell) => {
    const value = field.value(cell);
    return value === null ? null : viridis(share(value));
  };
  const words = "value, both boards, 2nd to 98th percentile";
  return { colour, low: `≤ ${low.toFixed(2)}`, high: `≥ ${high.toFixed(2)}`, words, ramp: viridis };
}

/* Linear between the two nearest of sorted numbers. */
function quantile(sorted, share) {
  const place = share * (sorted.length - 1), below = Math.floor(place);
  return sorted[below] + (place - below) * ((sorted[below + 1] ?? sorted[below]) - sorted[below]);
}

function occupancyHeat(side, other) {
  if (!side.occupancy) return null;
  const most = Math.max(...side.occupancy.values(), ...(other.occupancy?.values() ?? []));
  const colour = (cell) => {
    const share = side.occupancy.get(String(cell));
    return share > 1e-6 ? stepsRamp(share / most) : null;
  };
  return { colour, ...stepsKey(most, 0) };
}

/* Colour of a share of the greatest one; darker by its square root, so that small shares are seen. */
export function stepsRamp(share) {
  return purple(0.92 * Math.sqrt(share));
}

export function stepsKey(most, decimals) {
  return { low: "0 %", high: `${(100 * most).toFixed(decimals)} %`, words: "share of steps, both boards", ramp: stepsRamp };
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
