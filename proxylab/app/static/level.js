/* Levels of cells as text: reading, changing, and the changes as a short word. */

export const WALL = "#", FREE = ".";

/* Kind of level: what can be moved, and which of it a click on a free cell brings there. */
export const PIECES = {
  maze: { all: "cm", first: "c", walker: "m" },
  garden: { all: "abdtT", first: "bd", walker: "a" },
  race: { all: "", first: "", walker: "B" },
};

export function rowsOf(text) {
  return text.split("\n");
}

export function at(rows, [row, col]) {
  return rows[row]?.[col] ?? WALL;
}

export function sameCell(one, other) {
  return !!one && !!other && one[0] === other[0] && one[1] === other[1];
}

/* The first cell that holds one of the characters, or null. */
export function findCell(rows, characters) {
  for (let row = 0; row < rows.length; row++) {
    for (let col = 0; col < rows[row].length; col++) {
      if (characters.includes(rows[row][col])) return [row, col];
    }
  }
  return null;
}

function withCells(rows, changes) {
  const cells = rows.map((row) => [...row]);
  for (const [[row, col], character] of changes) cells[row][col] = character;
  return cells.map((row) => row.join(""));
}

/* Rows with the thing at a cell moved to a free one; null where that cannot be. */
export function movedPiece(rows, from, to) {
  if (at(rows, to) !== FREE || at(rows, from) === WALL || at(rows, from) === FREE) return null;
  return withCells(rows, [[from, FREE], [to, at(rows, from)]]);
}

/* Rows with a wall made or removed; null at the border, on things, and where the frame would change. */
export function withWall(rows, cell, wall, keepFrame) {
  const [row, col] = cell;
  const inside = row > 0 && col > 0 && row < rows.length - 1 && col < rows[0].length - 1;
  if (!inside || at(rows, cell) !== (wall ? FREE : WALL)) return null;
  const found = withCells(rows, [[cell, wall ? WALL : FREE]]);
  return keepFrame && String(frameOf(found)) !== String(frameOf(rows)) ? null : found;
}

/* [first row, first column, last row, last column] of the cells that are no wall. */
export function frameOf(rows) {
  const frame = [Infinity, Infinity, -1, -1];
  rows.forEach((line, row) => [...line].forEach((character, col) => {
    if (character === WALL) return;
    frame[0] = Math.min(frame[0], row);
    frame[1] = Math.min(frame[1], col);
    frame[2] = Math.max(frame[2], row);
    frame[3] = Math.max(frame[3], col);
  }));
  return frame;
}

const WORDS = { [WALL]: "w", [FREE]: "f" };
const SYMBOLS = { w: WALL, f: FREE };

/* The cells in which two levels of one size differ, as a word such as 12w30c. */
export function editsBetween(base, rows) {
  const before = base.join(""), after = rows.join("");
  return [...after].map((c, k) => (c === before[k] ? "" : `${k}${WORDS[c] ?? c}`)).join("");
}

/* Whether two levels hold the same things, wherever they lie. */
export function sameThings(one, other) {
  const things = (rows) => [...rows.join("")].filter((c) => c !== WALL && c !== FREE).sort().join("");
  return things(one) === things(other);
}

/* Rows with the changes of such a word; null where they do not fit. */
export function withEdits(base, edits) {
  const columns = base[0].length, changes = [];
  for (const [, index, letter] of edits.matchAll(/(\d+)([a-zA-Z])/g)) {
    const cell = [Math.floor(index / columns), index % columns];
    if (cell[0] >= base.length) return null;
    changes.push([cell, SYMBOLS[letter] ?? letter]);
  }
  return withCells(base, changes);
}
