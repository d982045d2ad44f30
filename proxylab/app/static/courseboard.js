/* A course of open water on a canvas: shores, finish, targets, the boat and its wake. */

import { arrow, strokeWay } from "./gridboard.js";

export function courseAspect(course) {
  return course.size[0] / course.size[1];
}

/* World coordinates, y upwards, as the course's own, y downwards. */
export function onCourse(course, [x, y]) {
  return [x - course.corner[0], course.corner[1] - y];
}

/* The spoke (0 to 23) nearest to a point given in shares of the board. */
export function spokeAt(course, x, y) {
  const px = course.corner[0] + x * course.size[0], py = course.corner[1] - y * course.size[1];
  return ((Math.round((Math.atan2(py, px) / (2 * Math.PI)) * 24) % 24) + 24) % 24;
}

const WHITE = "#fafafa", BLACK = "#28282e";

/* How far an arrow turns with the rudder hard over: more than a boat does in a step, to be seen. */
const RUDDER = Math.PI / 3;

/* At each point an arrow along the course, turned as the rudder, as long as full throttle is probable. */
function drawField({ pen, unit, view, course, colours }) {
  view.field.cells.forEach((point, k) => {
    const chances = view.field.probabilities[k], [x, y] = onCourse(course, point);
    const steer = chances.reduce((sum, chance, action) => sum + chance * (1 - Math.floor(action / 2)), 0);
    const throttle = chances[1] + chances[3] + chances[5], length = course.spacing * (0.25 + 0.55 * throttle);
    const way = (2 * Math.PI * view.field.headings[k]) / 24 + RUDDER * steer;
    const [dx, dy] = [Math.cos(way) * length * unit, -Math.sin(way) * length * unit];
    arrow(pen, x * unit - dx / 2, y * unit - dy / 2, dx, dy, 0.85 * course.spacing * unit, view.hue, colours.halo);
  });
}

export function drawCourse(pen, width, height, view) {
  const { course, colours } = view, unit = width / course.size[0];
  const board = { pen, unit, view, colours, course };
  drawLand(board, width, height);
  drawWater(board);
  drawFinish(board);
  course.targets.forEach((point, k) => drawTarget(board, point, view.timers?.[k] ?? 0));
  if (view.field?.headings) drawField(board);
  if (view.trail?.length > 1) drawWake(board);
  if (view.boat) drawBoat(board);
}

function trace({ pen, unit }, points, closed) {
  pen.beginPath();
  points.forEach(([x, y], k) => (k ? pen.lineTo(x * unit, y * unit) : pen.moveTo(x * unit, y * unit)));
  if (closed) pen.closePath();
}

/* Grass in stripes of two world units, and sand along the shores. */
function drawLand(board, width, height) {
  const { pen, unit, colours } = board, stripe = 2 * unit;
  pen.fillStyle = colours.grass;
  pen.fillRect(0, 0, width, height);
  pen.fillStyle = colours.meadow;
  pen.beginPath();
  for (let x = -height; x < width; x += 2 * stripe) {
    [[x, 0], [x + stripe, 0], [x + stripe + height, height], [x + height, height]].forEach((point, k) => (k ? pen.lineTo(...point) : pen.moveTo(...point)));
    pen.closePath();
  }
  pen.fill();
  rim(board, colours.sand, 1.2);
}

/* Both shores stroked, so many world units wide. */
function rim(board, colour, wide) {
  const { pen, unit, course } = board;
  pen.strokeStyle = colour;
  pen.lineWidth = wide * unit;
  pen.lineJoin = "round";
  for (const points of [course.outer, course.inner]) {
    trace(board, points, true);
    pen.stroke();
  }
}

/* Water between the shores: shallow along them, with foam at its edge; heat lies on it. */
function drawWater(board) {
  const { pen, unit, course, colours, view } = board, water = new Path2D();
  for (const points of [course.outer, course.inner]) {
    points.forEach(([x, y], k) => (k ? water.lineTo(x * unit, y * unit) : water.moveTo(x * unit, y * unit)));
    water.closePath();
  }
  pen.save();
  pen.clip(water, "evenodd");
  pen.fillStyle = colours.sea;
  pen.fill(water, "evenodd");
  rim(board, colours.shallow, 1.6);
  if (view.heat) drawHeat(board);
  rim(board, colours.foam, 0.3);
  pen.restore();
}

function drawHeat({ pen, unit, view }) {
  const side = view.heat.cell * unit;
  for (const [[x, y], colour] of view.heat.cells) {
    pen.fillStyle = colour;
    pen.fillRect(x * unit - side / 2, y * unit - side / 2, side + 0.5, side + 0.5);
  }
}

/* A chequered band across the water, two rows of squares half a world unit wide. */
function drawFinish({ pen, unit, course }) {
  const [[x, y], [tx, ty]] = course.finish, length = Math.hypot(tx - x, ty - y), side = 0.5;
  pen.save();
  pen.translate(x * unit, y * unit);
  pen.rotate(Math.atan2(ty - y, tx - x));
  for (let k = 0; k * side < length; k++) {
    for (const row of [0, 1]) {
      pen.fillStyle = (k + row) % 2 ? WHITE : BLACK;
      pen.fillRect(k * side * unit, (row - 1) * side * unit, Math.min(side, length - k * side) * unit, side * unit);
    }
  }
  pen.restore();
}

function disc(pen, x, y, radius, colour) {
  pen.fillStyle = colour;
  pen.beginPath();
  pen.arc(x, y, radius, 0, 7);
  pen.fill();
}

/* A buoy while the target is there, a trace of it that fills while it comes back. */
function drawTarget({ pen, unit, colours, view }, [x, y], timer) {
  const [px, py] = [x * unit, y * unit];
  if (timer === 0) return [[0.75, WHITE], [0.6, colours.buoy], [0.25, WHITE]].forEach(([radius, colour]) => disc(pen, px, py, radius * unit, colour));
  disc(pen, px, py, 0.35 * unit, colours.foam);
  const share = Math.max(1 - timer / view.respawn, 0);
  pen.fillStyle = colours.buoy;
  pen.beginPath();
  pen.moveTo(px, py);
  pen.arc(px, py, 0.6 * unit, -Math.PI / 2, -Math.PI / 2 + share * 2 * Math.PI);
  pen.fill();
}

function drawWake({ pen, unit, view, colours }) {
  const points = view.trail.map(([x, y]) => [x * unit, y * unit]);
  strokeWay(pen, points, view, colours.halo, [0.4 * unit, 0.22 * unit]);
}

const HULL = [[-1, -0.55], [0.5, -0.55], [1.35, 0], [0.5, 0.55], [-1, 0.55]];
const WAKE = [[-0.9, -0.162], [-2, -0.36], [-2, 0.36], [-0.9, 0.162]];

/* A hull with a pointed bow, a deck in it, and foam behind; 1 is a world unit. */
function drawBoat({ pen, unit, view, colours }) {
  const [x, y] = view.boat.point, turn = (-2 * Math.PI * view.boat.heading) / 24;
  pen.save();
  pen.translate(x * unit, y * unit);
  pen.rotate(turn);
  const parts = [[WAKE, 1, colours.foam], [HULL, 1.25, WHITE], [HULL, 1, colours.hull], [HULL, 0.5, colours.deck]];
  for (const [shape, scale, colour] of parts) {
    trace({ pen, unit: unit * scale }, shape, true);
    pen.fillStyle = colour;
    pen.fill();
  }
  pen.restore();
}
