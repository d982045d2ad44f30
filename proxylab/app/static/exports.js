/* Pictures to keep: both boards as PNG, both episodes as GIF. */

import { courseAspect } from "./courseboard.js";
import { encodeGif } from "./gif.js";
import { gridAspect } from "./gridboard.js";

const GAP = 16, CAPTION = 30, MOST_FRAMES = 120;

/* Both boards side by side at a step, each `wide` pixels wide, on a canvas. */
function sheet(session, step, wide) {
  const tall = Math.round(wide / (session.course ? courseAspect(session.course) : gridAspect(session.rows)));
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [2 * wide + 3 * GAP, tall + CAPTION + GAP];
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

export async function pngOf(session) {
  const canvas = sheet(session, session.state.step, 640);
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

export async function gifOf(session, framesPerSecond) {
  const steps = session.episodeSteps, stride = Math.ceil((steps + 1) / MOST_FRAMES);
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

export function saveAs(blob, name) {
  const anchor = document.createElement("a");
  anchor.href = URL.createObjectURL(blob);
  anchor.download = name;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(anchor.href), 10_000);
}
