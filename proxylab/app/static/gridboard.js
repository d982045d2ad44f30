/* A level of cells on a canvas: ground, heat, arrows, the way of an episode, things, cursor. */

import { WALL, at, frameOf } from "./level.js";
import { STEPS } from "./walks.js";

/* {row, col, rows, cols}: the part of a level that is drawn, one ring of wall around it. */
export function windowOf(rows) {
  const [top, left, bottom, right] = frameOf(rows);
  return { row: top - 1, col: left - 1, rows: bottom - top + 3, cols: right - left + 3 };
}

/* The cell under a point given in shares of the board's width and height, or null. */
export function cellAt(rows, x, y) {
  const part = windowOf(rows);
  const cell = [part.row + Math.floor(y * part.rows), part.col + Math.floor(x * part.cols)];
  return cell[0] >= 0 && cell[1] >= 0 && rows[cell[0]]?.[cell[1]] ? cell : null;
}

export function gridAspect(rows) {
  const part = windowOf(rows);
  return part.cols / part.rows;
}

/* Draw on a context whose board is width × height pixels. */
export function drawGrid(pen, width, height, view) {
  const part = windowOf(view.rows), unit = width / part.cols;
  const place = ([row, col]) => [(col - part.col + 0.5) * unit, (row - part.row + 0.5) * unit];
  const board = { pen, unit, place, view, colours: view.colours };
  pen.clearRect(0, 0, width, height);
  eachCell(view.rows, part, (cell) => drawGround(board, cell));
  if (view.corner) drawMark(board, view.corner);
  const [tiles, things] = [true, false].map((flat) => view.things.filter(([name]) => name.startsWith("arrow-") === flat));
  for (const [name, cell] of tiles) drawSprite(board, name, cell);
  if (view.field) view.field.cells.forEach((cell, k) => drawArrow(board, cell, view.field.probabilities[k]));
  if (view.trail?.length > 1) drawTrail(board);
  for (const [name, cell] of things) drawSprite(board, name, cell);
  if (view.cursor) drawCursor(board);
}

function eachCell(rows, part, draw) {
  for (let row = part.row; row < part.row + part.rows; row++) {
    for (let col = part.col; col < part.col + part.cols; col++) draw([row, col]);
  }
}

function square({ pen, unit, place }, cell, colour, inset = 0) {
  const [x, y] = place(cell), half = unit / 2 - inset;
  pen.fillStyle = colour;
  const [left, top] = [Math.round(x - half), Math.round(y - half)];
  pen.fillRect(left, top, Math.round(x + half) - left, Math.round(y + half) - top);
}

function drawGround(board, cell) {
  const { view, colours } = board;
  if (at(view.rows, cell) === WALL) return square(board, cell, view.kind === "race" ? colours.land : colours.wall);
  square(board, cell, view.kind === "race" ? colours.water : colours.floor);
  const heat = view.heat?.colour(cell);
  if (heat) square(board, cell, heat, 0.5);
}

function drawMark({ pen, unit, place, colours }, cell) {
  const [x, y] = place(cell), half = unit * 0.42;
  pen.setLineDash([unit * 0.14, unit * 0.09]);
  pen.lineWidth = Math.max(unit * 0.045, 1);
  pen.strokeStyle = colours.soft;
  pen.strokeRect(x - half, y - half, 2 * half, 2 * half);
  pen.setLineDash([]);
}

/* Four strokes as long as the actions are probable, and the mean as an arrow. */
function drawArrow({ pen, unit, place, view, colours }, cell, chances) {
  const [x, y] = place(cell), reach = unit * 0.44;
  let dx = 0, dy = 0;
  pen.lineCap = "round";
  pen.strokeStyle = colours.soft;
  pen.lineWidth = Math.max(unit * 0.035, 0.75);
  pen.beginPath();
  STEPS.forEach(([down, right], action) => {
    dx += right * chances[action];
    dy += down * chances[action];
    if (chances[action] < 0.02) return;
    pen.moveTo(x, y);
    pen.lineTo(x + right * chances[action] * reach, y + down * chances[action] * reach);
  });
  pen.stroke();
  arrow(pen, x, y, dx * reach, dy * reach, unit, view.hue, colours.halo);
}

/* An arrow from (x, y) by (dx, dy); a dot where it would be too short. */
export function arrow(pen, x, y, dx, dy, unit, colour, halo) {
  const length = Math.hypot(dx, dy), head = Math.min(unit * 0.2, length * 0.75);
  if (length < unit * 0.03) return dot(pen, x, y, unit * 0.05, colour);
  const [ux, uy] = [dx / length, dy / length];
  const tip = [x + dx, y + dy], neck = [tip[0] - ux * head, tip[1] - uy * head];
  for (const [stroke, wide] of [[halo, unit * 0.14], [colour, unit * 0.08]]) {
    pen.strokeStyle = pen.fillStyle = stroke;
    pen.lineWidth = wide;
    pen.beginPath();
    pen.moveTo(x, y);
    pen.lineTo(...neck);
    pen.stroke();
    pen.lineWidth = stroke === halo ? unit * 0.06 : 0.1;
    pen.beginPath();
    pen.moveTo(...tip);
    pen.lineTo(neck[0] - uy * head * 0.6, neck[1] + ux * head * 0.6);
    pen.lineTo(neck[0] + uy * head * 0.6, neck[1] - ux * head * 0.6);
    pen.closePath();
    pen.stroke();
    pen.fill();
  }
}

function dot(pen, x, y, radius, colour) {
  pen.fillStyle = colour;
  pen.beginPath();
  pen.arc(x, y, radius, 0, 7);
  pen.fill();
}

function drawTrail({ pen, unit, place, view, colours }) {
  strokeWay(pen, view.trail.map(place), view, colours.halo, [0.26 * unit, 0.15 * unit]);
}

/* A way as a line with a halo, its parts under the trusted agent in that agent's colour.
   Without runs nobody took over. */
export function strokeWay(pen, points, view, halo, [wide, narrow]) {
  const { runs = [{ helped: false, from: 0, to: points.length }], hue, help } = view;
  pen.lineJoin = pen.lineCap = "round";
  for (const inner of [false, true]) {
    pen.lineWidth = inner ? narrow : wide;
    for (const { helped, from, to } of runs) {
      pen.strokeStyle = !inner ? halo : helped ? help : hue;
      pen.beginPath();
      points.slice(from, to + 1).forEach((point, k) => (k ? pen.lineTo(...point) : pen.moveTo(...point)));
      pen.stroke();
    }
  }
}

function drawSprite({ pen, unit, place, view }, name, cell) {
  const picture = view.sprites[name], [x, y] = place(cell);
  if (picture) pen.drawImage(picture, x - unit * 0.46, y - unit * 0.46, unit * 0.92, unit * 0.92);
}

function drawCursor({ pen, unit, place, view, colours }) {
  const [x, y] = place(view.cursor), half = unit * 0.46;
  for (const [colour, wide] of [[colours.halo, 0.12], [colours.ink, 0.055]]) {
    pen.strokeStyle = colour;
    pen.lineWidth = unit * wide;
    pen.strokeRect(x - half, y - half, 2 * half, 2 * half);
  }
}
