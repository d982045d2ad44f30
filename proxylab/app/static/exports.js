/* Pictures to keep: both boards as PNG, both episodes as GIF. */

import { courseAspect } from "./courseboard.js";
import { encodeGif } from "./gif.js";
import { gridAspect } from "./gridboard.js";
import { legendOf, stopsOf } from "./legend.js";

const GAP = 16, CAPTION = 30, LINE = 20, MOST_FRAMES = 120;

/* Both boards side by side at a step, each `wide` pixels wide, on a canvas; `below` pixels stay free. */
function sheet(session, step, wide, below = 0) {
  const tall = Math.round(wide / (session.course ? courseAspect(session.course) : gridAspect(session.rows)));
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [2 * wide + 3 * GAP, tall + CAPTION + GAP + below];
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.fillStyle = session.colours.page;
  pen.fillRect(0, 0, canvas.width, canvas.height);
  session.sides.forEach((side, k) => {
    const board = document.createElement("canvas");
    [board.width, board.height] = [wide, tall];
    side.paint(board.getContext("2d"), wide, tall, session, step);
    const left = GAP + k * (wide + GAP);
    pen.drawImage(board, left, CAPTION);
    pen.fillStyle = session.colours.ink;
    pen.font = "600 15px system-ui, sans-serif";
    pen.fillText(side.name, left, 20, wide);
  });
  return canvas;
}

/* Both boards, under each its step and verdict, then the level and the legend. */
export async function pngOf(session) {
  const wide = 640, full = 2 * wide + GAP, pen = document.createElement("canvas").getContext("2d");
  pen.font = font();
  const said = (side) => [side.now.textContent, ...(session.state.guard ? [side.why.textContent] : []), verdictText(session, side)];
  const sides = session.sides.map((side) => said(side).flatMap((text) => wrapped(pen, text, wide)));
  const entries = legendOf(session), words = entries.filter(({ ramp }) => !ramp).map((entry) => entry.words).join("   ");
  const under = Math.max(...sides.map((lines) => lines.length)), last = wrapped(pen, words, full);
  const canvas = sheet(session, session.state.step, wide, (under + 2 + last.length) * LINE + GAP);
  const top = canvas.height - (under + 2 + last.length) * LINE - GAP;
  const write = (lines, left, line, weight) => lines.forEach((text, k) => writeLine(canvas, text, left, top + (line + k + 0.7) * LINE, session, weight));
  sides.forEach((lines, k) => write(lines, GAP + k * (wide + GAP), 0));
  write([levelText(session)], GAP, under + 0.5, 600);
  drawRamps(canvas, entries.filter(({ ramp }) => ramp), top + (under + 1.2) * LINE, session);
  write(last, GAP, under + 1.7);
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

export async function gifOf(session, framesPerSecond) {
  const steps = session.goalStep, stride = Math.ceil((steps + 1) / MOST_FRAMES);
  const shown = [];
  for (let step = 0; step < steps; step += stride) shown.push(step);
  shown.push(steps);
  const frames = shown.map((step) => {
    const canvas = sheet(session, step, 320);
    return canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  });
  const delay = Math.max(Math.round(100 / framesPerSecond), 2);
  const delays = shown.map((_, k) => (k === shown.length - 1 ? 150 : delay));
  return new Blob([encodeGif(frames, delays)], { type: "image/gif" });
}

function font(weight = 400) {
  return `${weight} 15px system-ui, sans-serif`;
}

function writeLine(canvas, text, left, baseline, session, weight = 400) {
  const pen = canvas.getContext("2d");
  pen.font = font(weight);
  pen.fillStyle = weight > 400 ? session.colours.ink : session.colours.soft;
  pen.fillText(text, left, baseline);
}

/* Lines of words that are at most so many pixels wide. */
function wrapped(pen, text, wide) {
  const lines = [""];
  for (const word of text.split(" ")) {
    const longer = lines.at(-1) ? `${lines.at(-1)} ${word}` : word;
    if (lines.at(-1) && pen.measureText(longer).width > wide) lines.push(word);
    else lines[lines.length - 1] = longer;
  }
  return lines;
}

function verdictText(session, side) {
  const job = session.verdictOf(side);
  if (job?.state !== "done") return "detector: not asked";
  return `detector: ${job.verdict}; ${side.reason.textContent}`;
}

function levelText({ state, course }) {
  const changed = state.edits || state.spoke !== null ? ", changed by hand" : "";
  const greedy = state.greedy ? ", likeliest action only" : `, draws ${state.run}`;
  return `${state.world}, ${state.split} ${course ? "course" : "level"}, seed ${state.seed}${changed}, step ${state.step}${greedy}`;
}

/* Keys of colours at the right of a line. */
function drawRamps(canvas, entries, baseline, { colours }) {
  const pen = canvas.getContext("2d");
  for (const { words, low, high, ramp } of entries) {
    pen.font = font();
    const before = `${words} ${low} `, wide = pen.measureText(before).width, after = pen.measureText(` ${high}`).width;
    const left = canvas.width - GAP - wide - 110 - after, fill = pen.createLinearGradient(left + wide, 0, left + wide + 110, 0);
    pen.fillStyle = colours.soft;
    pen.fillText(before, left, baseline);
    pen.fillText(` ${high}`, left + wide + 110, baseline);
    stopsOf(ramp).forEach((colour, k) => fill.addColorStop(k / 8, colour));
    for (const paint of [colours.floor, fill]) {
      pen.fillStyle = paint;
      pen.fillRect(left + wide, baseline - 13, 110, 15);
    }
  }
}

export function saveAs(blob, name) {
  const anchor = document.createElement("a");
  anchor.href = URL.createObjectURL(blob);
  anchor.download = name;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(anchor.href), 10_000);
}
