/* The first hint: what can be dragged, until the first change, and not again in this browser. */

import { windowOf } from "./gridboard.js";
import { findCell, PIECES } from "./level.js";
import { element } from "./side.js";

const REMEMBERED = "proxylab:hint";
const DRAGS = {
  maze: "Drag the cheese: the arrows follow",
  garden: "Drag the bucket: the arrows follow",
  course: "Drag the lagoon: the arrows follow",
};

export class Hint {
  constructor(board) {
    this.ring = element("i", { class: "ring", hidden: "" });
    this.bubble = element("p", { class: "hint", id: "hint", role: "note", hidden: "" });
    board.append(this.ring, this.bubble);
    this.over = recalled();
  }

  /* Show it on an unchanged level; the first change ends it. */
  show(session) {
    if (session.touched && !this.over) {
      this.over = true;
      remember();
    }
    const { edits, spoke } = session.state, words = DRAGS[session.kind];
    const hidden = this.over || !words || edits !== "" || spoke !== null;
    this.bubble.hidden = this.ring.hidden = hidden;
    if (hidden) return;
    this.bubble.textContent = words;
    this.place(session.course ? lagoonPlace(session.course) : piecePlace(session.rows, session.kind));
  }

  /* Ring a point given in shares of the board, the words on the roomier side of it. */
  place([x, y, wide]) {
    Object.assign(this.ring.style, { left: `${100 * x}%`, top: `${100 * y}%`, width: `${100 * wide}%` });
    const below = y < 0.5, away = `${100 * ((below ? y : 1 - y) + wide / 2 + 0.03)}%`;
    Object.assign(this.bubble.style, { top: below ? away : "", bottom: below ? "" : away });
  }
}

function piecePlace(rows, kind) {
  const part = windowOf(rows), [row, col] = findCell(rows, PIECES[kind].first);
  return [(col - part.col + 0.5) / part.cols, (row - part.row + 0.5) / part.rows, 1.25 / part.cols];
}

/* The middle of the targets, or of the finish where there are none. */
function lagoonPlace({ targets, finish, size }) {
  const points = targets.length ? targets : finish, mean = (k) => points.reduce((sum, p) => sum + p[k], 0) / points.length;
  return [mean(0) / size[0], mean(1) / size[1], 0.22];
}

/* Storage is missing where the browser is told to keep nothing. */
function recalled() {
  try {
    return localStorage.getItem(REMEMBERED) === "seen";
  } catch {
    return false;
  }
}

function remember() {
  try {
    localStorage.setItem(REMEMBERED, "seen");
  } catch { /* it is shown again next time */ }
}
