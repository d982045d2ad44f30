/* One of the two clips: its board, drawn as on the page of two agents, and its caption. */

import { courseAspect, drawCourse, onCourse } from "./courseboard.js";
import { drawGrid, gridAspect } from "./gridboard.js";
import { rowsOf } from "./level.js";
import { arrowsOf, thingsOn } from "./things.js";

const RESPAWN_STEPS = 20;

export class ClipView {
  constructor(section, name) {
    this.name = name;
    this.canvas = section.querySelector("canvas");
    this.caption = section.querySelector(".now");
    this.clip = null;
  }

  show(clip, kind) {
    const arrows = clip.arrows ? arrowsOf(rowsOf(clip.arrows)) : null;
    this.clip = { ...clip, kind, arrows, rows: clip.course ? null : rowsOf(clip.level) };
  }

  draw(step, colours, sprites) {
    const { clip, canvas } = this;
    const fit = clip.course ? courseAspect(clip.course) : gridAspect(clip.rows);
    const dense = window.devicePixelRatio || 1, side = canvas.parentElement.clientWidth || 320;
    const wide = side * Math.min(fit, 1);
    canvas.style.width = `${wide}px`;
    canvas.style.aspectRatio = String(fit);
    const [width, height] = [Math.round(wide * dense), Math.round((wide * dense) / fit)];
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
    const pen = canvas.getContext("2d");
    if (clip.course) drawCourse(pen, width, height, this.courseView(step, colours));
    else drawGrid(pen, width, height, this.gridView(step, colours, sprites));
    this.tell(step);
  }

  gridView(step, colours, sprites) {
    const { clip } = this, columns = clip.rows[0].length;
    const trail = clip.states.slice(0, step + 1).map((state) => [Math.floor(state / columns), state % columns]);
    const things = thingsOn(clip, trail.at(-1), clip.watered?.[step]);
    return { kind: clip.kind, rows: clip.rows, colours, sprites, things, trail, hue: colours.t };
  }

  courseView(step, colours) {
    const { clip } = this, { course } = clip;
    const trail = clip.positions.slice(0, step + 1).map((point) => onCourse(course, point));
    const boat = { point: trail.at(-1), heading: clip.headings[step] };
    return { course, colours, hue: colours.t, trail, boat, timers: clip.timers[step], respawn: RESPAWN_STEPS };
  }

  tell(step) {
    const { ends } = this.clip, over = ends !== null && step >= ends;
    this.caption.textContent = over ? `ended at step ${ends}` : `step ${step}`;
    this.canvas.setAttribute("aria-label", `${this.name} clip: ${this.caption.textContent}`);
  }
}
