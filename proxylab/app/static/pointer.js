/* Mouse, pen and finger on a board: things are dragged, walls drawn, the lagoon moved. */

import { spokeAt } from "./courseboard.js";
import { cellAt } from "./gridboard.js";
import { FREE, PIECES, WALL, at, findCell, movedPiece, sameCell, withWall } from "./level.js";

export class Pointer {
  constructor(session, side, tool) {
    this.session = session;
    this.tool = tool;
    this.held = null;
    const { canvas } = side;
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    for (const name of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(name, () => { this.held = null; });
    }
  }

  place(event) {
    const box = event.currentTarget.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  }

  down(event) {
    if (event.button !== 0) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    const [x, y] = this.place(event), { session } = this;
    if (session.course) return this.downOnWater(x, y);
    const cell = cellAt(session.rows, x, y);
    if (!cell) return;
    session.cursor = cell;
    if (this.tool() === "walls") {
      this.held = { wall: at(session.rows, cell) === FREE };
      return this.paint(cell);
    }
    this.pickUp(cell);
  }

  downOnWater(x, y) {
    const { session } = this;
    if (this.tool() === "walls") {
      const targets = !session.course.targets.length;
      return session.attempt(() => session.change({ spoke: session.lagoon, targets, step: 0 }));
    }
    this.held = { water: true };
    this.moveLagoon(x, y);
  }

  /* Hold the thing at a cell; a free cell brings the first thing there. */
  pickUp(cell) {
    const { session } = this, pieces = PIECES[session.kind];
    const here = at(session.rows, cell);
    if (pieces.all.includes(here)) this.held = { from: cell };
    else if (here === FREE && pieces.first) {
      this.held = { from: findCell(session.rows, pieces.first) };
      this.drag(cell);
    }
  }

  move(event) {
    if (!this.held) return;
    const [x, y] = this.place(event);
    if (this.held.water) return this.moveLagoon(x, y);
    const cell = cellAt(this.session.rows, x, y);
    if (!cell) return;
    if ("wall" in this.held) this.paint(cell);
    else this.drag(cell);
  }

  drag(cell) {
    if (sameCell(cell, this.held.from)) return;
    const rows = movedPiece(this.session.rows, this.held.from, cell);
    if (!rows) return;
    this.held.from = this.session.cursor = cell;
    this.session.attempt(() => this.session.edit(rows));
  }

  paint(cell) {
    const rows = withWall(this.session.rows, cell, this.held.wall, this.session.kind === "maze");
    if (rows) this.session.attempt(() => this.session.edit(rows));
    else if (at(this.session.rows, cell) !== WALL) this.session.say("a wall cannot stand there");
  }

  moveLagoon(x, y) {
    const { session } = this, spoke = spokeAt(session.course, x, y);
    if (spoke === session.lagoon || session.state.spoke === spoke) return;
    session.attempt(() => session.change({ spoke, targets: true, step: 0 }));
  }
}
