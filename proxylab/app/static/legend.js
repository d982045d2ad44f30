/* What the marks and colours of the boards mean, for the page and for saved pictures. */

import { DRAWN, LIKELIEST, element } from "./side.js";

const WITHOUT = { value: "no value to show: scripts have none", occupancy: "…", divergence: "…" };
const ON_GRID = "arrow: mean of the action probabilities; thin strokes: each of them";
const ON_WATER = "a boat that sails along the course at 60 % of full speed: arrows turn as its rudder, "
  + "and are as long as full throttle is probable";

/* [{words, low, high, ramp}, …]; the last three where colours stand for numbers. */
export function legendOf(session) {
  const heat = session.sides.map((side) => side.heat).find(Boolean);
  const { layer } = session.state;
  const colours = heat ? [heat] : layer === "field" ? [] : [{ words: WITHOUT[layer] }];
  return [
    ...colours, { words: session.course ? ON_WATER : ON_GRID },
    ...(session.corner ? [{ words: "dashed: proxy goal" }] : []),
    ...(session.state.guard ? [{ words: "green: a trusted agent acts" }] : []),
    { words: `${DRAWN} action drawn` }, { words: `${LIKELIEST} likeliest action` },
  ];
}

export function stopsOf(ramp) {
  return Array.from({ length: 9 }, (_, k) => ramp(k / 8));
}

export function showLegend(place, session) {
  place.replaceChildren(...legendOf(session).map(keyOf));
}

function keyOf({ words, low, high, ramp }) {
  if (!ramp) return element("span", { class: "key" }, words);
  const shown = element("span", { class: "ramp" });
  shown.style.backgroundImage = `linear-gradient(to right, ${stopsOf(ramp).join(", ")})`;
  return element("span", { class: "key" }, `${words} `, low, shown, high);
}
