/* A course of open water on a canvas: shores, finish, targets, the boat and its wake. */

import { arrow } from "./gridboard.js";

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
  pen.fillStyle = colours.land;
  pen.fillRect(0, 0, width, height);
  shore(board, course.outer, colours.water);
  if (view.heat) drawHeat(board);
  shore(board, course.inner, colours.land);
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

function shore(board, points, fill) {
  const { pen, unit, colours } = board;
  trace(board, points, true);
  pen.fillStyle = fill;
  pen.fill();
  pen.strokeStyle = colours.shore;
  pen.lineWidth = 0.12 * unit;
  pen.stroke();
}

function drawHeat({ pen, unit, view }) {
  const side = view.heat.cell * unit;
  for (const [[x, y], colour] of view.heat.cells) {
    pen.fillStyle = colour;
    pen.fillRect(x * unit - side / 2, y * unit - side / 2, side + 0.5, side + 0.5);
  }
}

function drawFinish(board) {
  const { pen, unit, colours, course } = board;
  trace(board, course.finish, false);
  pen.setLineDash([0.4 * unit, 0.4 * unit]);
  pen.strokeStyle = colours.ink;
  pen.lineWidth = 0.3 * unit;
  pen.stroke();
  pen.setLineDash([]);
}

/* A disc while the target is there, a ring that fills while it comes back. */
function drawTarget({ pen, unit, colours, course, view }, [x, y], timer) {
  pen.lineWidth = 0.12 * unit;
  pen.strokeStyle = colours.ink;
  pen.fillStyle = colours.maybe;
  pen.beginPath();
  pen.arc(x * unit, y * unit, course.reach * unit * 0.75, 0, 7);
  if (timer === 0) pen.fill();
  pen.stroke();
  if (timer <= 0) return;
  const share = Math.max(1 - timer / view.respawn, 0);
  pen.beginPath();
  pen.moveTo(x * unit, y * unit);
  pen.arc(x * unit, y * unit, course.reach * unit * 0.75, -Math.PI / 2, -Math.PI / 2 + share * 2 * Math.PI);
  pen.fill();
}

function drawWake(board) {
  const { pen, unit, view, colours } = board;
  trace(board, view.trail, false);
  pen.lineJoin = pen.lineCap = "round";
  for (const [colour, wide] of [[colours.halo, 0.4], [view.hue, 0.22]]) {
    pen.strokeStyle = colour;
    pen.lineWidth = wide * unit;
    pen.stroke();
  }
}

function drawBoat({ pen, unit, view, colours }) {
  const [x, y] = view.boat.point, turn = (-2 * Math.PI * view.boat.heading) / 24;
  pen.save();
  pen.translate(x * unit, y * unit);
  pen.rotate(turn);
  pen.beginPath();
  pen.moveTo(1.1 * unit, 0);
  pen.lineTo(-0.8 * unit, 0.62 * unit);
  pen.lineTo(-0.45 * unit, 0);
  pen.lineTo(-0.8 * unit, -0.62 * unit);
  pen.closePath();
  pen.fillStyle = view.hue;
  pen.strokeStyle = colours.halo;
  pen.lineWidth = 0.2 * unit;
  pen.stroke();
  pen.fill();
  pen.restore();
}
