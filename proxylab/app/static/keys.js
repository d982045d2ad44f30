/* The keyboard: everything the pointer can do, and playing. */

import { FREE, PIECES, WALL, at, findCell, movedPiece, withWall } from "./level.js";
import { LAYERS } from "./state.js";
import { STEPS } from "./walks.js";

const ARROWS = { ArrowUp: 0, ArrowDown: 1, ArrowLeft: 2, ArrowRight: 3 };

export function listenToKeys(session, player, ways) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !session.state) return;
    const onBoard = event.target instanceof HTMLCanvasElement;
    if (event.target.matches("select, input[type=number]")) return;
    if (event.target.matches("input") && event.key in ARROWS) return;
    if (event.key === " " && event.target.matches("button, input, summary")) return;
    const work = (onBoard && boardKey(event.key, session, ways)) || pageKey(event.key, session, player, ways);
    if (!work) return;
    event.preventDefault();
    work();
  });
}

function pageKey(key, session, player, ways) {
  const layer = LAYERS[Number(key) - 1];
  if (layer) return () => ways.change({ layer });
  return {
    " ": () => player.toggle(),
    ".": () => ways.stepBy(1),
    ",": () => ways.stepBy(-1),
    r: () => ways.stepTo(0),
    n: () => ways.seedBy(1),
    p: () => ways.seedBy(-1),
  }[key];
}

function boardKey(key, session, ways) {
  if (session.course) return courseKey(key, session, ways);
  if (key in ARROWS) return () => moveCursor(session, STEPS[ARROWS[key]]);
  const { rows, cursor } = session, pieces = PIECES[session.kind];
  const bring = (characters) => movedPiece(rows, findCell(rows, characters), cursor);
  const changed = {
    c: () => pieces.first && bring(pieces.first),
    m: () => pieces.all && bring(pieces.walker),
    w: () => pieces.all && at(rows, cursor) !== undefined
      && withWall(rows, cursor, at(rows, cursor) === FREE, session.kind === "maze"),
  }[key];
  return changed && (() => {
    const found = changed();
    if (found) ways.edit(found);
    else session.say(at(rows, cursor) === WALL && key !== "w" ? "there is a wall" : "that cannot be there");
  });
}

function courseKey(key, session, ways) {
  const by = { ArrowLeft: 1, ArrowRight: -1 }[key];
  if (by) return () => ways.change({ spoke: (session.lagoon + by + 24) % 24, targets: true, step: 0 });
  if (key !== "w") return null;
  return () => ways.change({ spoke: session.lagoon, targets: !session.course.targets.length, step: 0 });
}

function moveCursor(session, [down, right]) {
  const [row, col] = session.cursor ?? session.start;
  const there = [row + down, col + right];
  if (session.rows[there[0]]?.[there[1]]) session.cursor = there;
  session.say(`row ${session.cursor[0]}, column ${session.cursor[1]}: ${name(at(session.rows, session.cursor))}`);
  session.draw();
}

function name(character) {
  const names = { "#": "wall", ".": "free", c: "cheese", m: "mouse", a: "gardener", b: "bucket", d: "bucket that is a dud", t: "dry tomato", T: "watered tomato", B: "boat" };
  return names[character] ?? "arrow tile";
}
