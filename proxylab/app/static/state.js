/* What is shown, as a value; and its form in the address. */

export const LAYERS = ["field", "value", "occupancy", "divergence"];

/* In maze-corner's shifted level 2 the paths to the cheese and to the corner part. */
export const START = {
  world: "", split: "", seed: 2, a: "", b: "", layer: "field", greedy: false,
  guard: "", run: 0, step: 0, edits: "", spoke: null, targets: true,
};

const WHOLE = ["seed", "run", "step"];
const LARGEST = 2147483647;

/* A state from the part of an address after '#'; what is missing or wrong is left as in START. */
export function readAddress(hash) {
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  const state = { ...START };
  for (const name of ["world", "split", "a", "b", "guard"]) state[name] = given.get(name) ?? "";
  for (const name of WHOLE) state[name] = wholeNumber(given.get(name), LARGEST) ?? START[name];
  if (LAYERS.includes(given.get("layer"))) state.layer = given.get("layer");
  state.greedy = given.get("greedy") === "1";
  state.edits = /^(\d+[a-zA-Z])*$/.test(given.get("edits") ?? "") ? given.get("edits") ?? "" : "";
  state.spoke = wholeNumber(given.get("spoke"), 23);
  state.targets = given.get("targets") !== "0";
  return state;
}

export function wholeNumber(text, largest) {
  return /^\d{1,10}$/.test(text ?? "") && Number(text) <= largest ? Number(text) : null;
}

/* The part of an address after '#' that stands for a state. */
export function writeAddress(state) {
  const parts = new URLSearchParams();
  for (const [name, value] of Object.entries(state)) {
    if (value === START[name] || value === "" || value === null) continue;
    parts.set(name, typeof value === "boolean" ? (value ? "1" : "0") : String(value));
  }
  return "#" + parts.toString().replaceAll("%3A", ":").replaceAll("%2F", "/");
}
