/* What stands on a level of cells at a step, by the names of its pictures. */

const THINGS = {
  c: "cheese", t: "dry-tomato", T: "tomato", b: "bucket", d: "dud-bucket",
  "^": "arrow-up", v: "arrow-down", "<": "arrow-left", ">": "arrow-right",
};
const WALKERS = { maze: "mouse", garden: "gardener", race: "boat" };

/* [[picture, cell], …] of a level {kind, rows, arrows}; `watered` says which tomatoes are, or is
   nothing, and `walker` is the agent's cell. */
export function thingsOn({ kind, rows, arrows }, walker, watered) {
  const things = [];
  let tomatoes = 0;
  rows.forEach((line, row) => [...line].forEach((character, col) => {
    const dry = "tT".includes(character) && watered && !watered[tomatoes++];
    const wet = "tT".includes(character) && watered && !dry;
    const name = dry ? "dry-tomato" : wet ? "tomato" : THINGS[character];
    if (name) things.push([name, [row, col]]);
  }));
  for (const [character, cell] of arrows ?? []) things.push([THINGS[character], cell]);
  if (walker) things.push([WALKERS[kind], walker]);
  return things;
}

/* [[character, cell], …] of the arrow tiles in a text. */
export function arrowsOf(rows) {
  const found = [];
  rows.forEach((line, row) => [...line].forEach((character, col) => {
    if ("^v<>".includes(character)) found.push([character, [row, col]]);
  }));
  return found;
}
