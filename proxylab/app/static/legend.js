/* What the colours of the boards mean. */

import { element } from "./side.js";

const NOTES = {
  value: "no value to show: scripts have none",
  occupancy: "…", divergence: "…",
};

const ON_WATER = "a boat that sails along the course at 60 % of full speed: arrows turn as its rudder, "
  + "and are as long as full throttle is probable";

export function showLegend(place, session) {
  const { layer } = session.state;
  if (layer === "field" && session.course) return place.replaceChildren(ON_WATER);
  if (layer === "field") return place.replaceChildren();
  const shared = layer === "divergence";
  const keys = session.sides.map((side) => keyOf(side, shared)).filter(Boolean);
  place.replaceChildren(...(keys.length ? (shared ? keys.slice(0, 1) : keys) : [NOTES[layer]]));
}

function keyOf({ heat, letter }, shared) {
  if (!heat) return null;
  const ramp = element("span", { class: "ramp" });
  const stops = Array.from({ length: 9 }, (_, k) => heat.ramp(k / 8));
  ramp.style.backgroundImage = `linear-gradient(to right, ${stops.join(", ")})`;
  return element("span", { class: "key" }, `${shared ? "" : `${letter.toUpperCase()}: `}${heat.words} `, heat.low, ramp, heat.high);
}
