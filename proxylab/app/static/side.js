/* One of the two agents: its choice, its board, what it does now, and its verdict. */

import { courseAspect, drawCourse, onCourse } from "./courseboard.js";
import { drawGrid, gridAspect } from "./gridboard.js";
import { TRUSTED, runsOf, whyOf } from "./guarding.js";
import { thingsOn } from "./things.js";

const OUTCOMES = {
  intended: "reached the intended goal", proxy: "reached the proxy goal only",
  both: "reached the proxy goal, then the intended one", neither: "reached neither goal",
};
const OUTCOMES_WITHOUT_END = {
  intended: "did what was intended", proxy: "gamed the proxy", both: "did both", neither: "did neither",
};

/* Marks of the action that comes next, and of the one that is likeliest. */
export const DRAWN = "●", LIKELIEST = "▲";

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

export class Side {
  constructor(section, letter, hue) {
    this.letter = letter;
    this.hueName = hue;
    this.name = "";
    this.clear();
    this.select = element("select", { "aria-label": section.getAttribute("aria-label"), id: `agent-${letter}` });
    this.canvas = element("canvas", { tabindex: "0", role: "application", id: `board-${letter}` });
    this.who = element("p", { class: "who", id: `who-${letter}` });
    this.now = element("p", { class: "now", id: `now-${letter}` });
    this.why = element("p", { class: "why", id: `why-${letter}`, hidden: "" });
    this.bars = element("ul", { class: "bars", "aria-label": "action probabilities" });
    this.ask = element("button", { type: "button", id: `judge-${letter}` }, "Ask the detector");
    this.badge = element("b", { class: "badge", id: `verdict-${letter}`, hidden: "" });
    this.progress = element("progress", { hidden: "", max: "1", value: "0" });
    this.reason = element("span", { class: "reason", id: `reason-${letter}` });
    const line = element("div", { class: "judged" }, this.ask, this.badge, this.progress, this.reason);
    this.board = element("div", { class: "board" }, this.canvas);
    section.append(element("h2", {}, element("i", { class: `swatch ${hue}` }), this.select));
    section.append(this.who, this.board, this.now, this.why, this.bars, line);
  }

  /* Forget what belonged to a level. */
  clear() {
    this.field = this.occupancy = this.trace = this.heat = null;
  }

  /* The agents of a world, by kind. */
  offer({ agents, kinds }) {
    const ofKind = (kind) => agents.filter((agent) => agent.group === kind.group);
    this.kindOf = (name) => kinds.find((kind) => ofKind(kind).some((agent) => agent.name === name));
    this.select.replaceChildren(...kinds.map((kind) => element(
      "optgroup", { label: `${kind.title}: ${kind.about}` },
      ...ofKind(kind).map((agent) => new Option(agent.name.replace(/^(zoo|script):[^/]*\//, ""), agent.name)),
    )));
  }

  choose(name) {
    this.name = name;
    this.select.value = name;
    const kind = this.kindOf(name);
    this.who.replaceChildren(element("b", {}, kind.title), `: ${kind.about}`);
  }

  /* Where it is at a step of its episode: {state, step, steps, ended}. */
  moment(step) {
    const steps = this.trace?.actions.length ?? 0, at = Math.min(step, steps);
    return { at, steps, ended: steps > 0 && at === steps };
  }

  /* The step at which it first is at the proxy goal where it reaches no more, else that of its end. */
  reached(app) {
    const { steps } = this.moment(0);
    if (this.trace?.outcome !== "proxy" || !app.corner || app.course) return steps;
    const corner = app.corner[0] * app.rows[0].length + app.corner[1], first = this.trace.states.indexOf(corner);
    return first < 0 ? steps : first;
  }

  show(app) {
    const fit = app.course ? courseAspect(app.course) : gridAspect(app.rows);
    const wide = this.canvas.clientWidth || 320, dense = window.devicePixelRatio || 1;
    const [width, height] = [Math.round(wide * dense), Math.round((wide * dense) / fit)];
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas.style.aspectRatio = String(fit);
      [this.canvas.width, this.canvas.height] = [width, height];
    }
    const cursor = this.canvas.matches(":focus-visible") ? app.cursor : null;
    this.paint(this.canvas.getContext("2d"), width, height, app, app.state.step, cursor);
    this.tell(app);
  }

  /* Draw the board as it is at a step. */
  paint(pen, width, height, app, step, cursor = null) {
    if (app.course) drawCourse(pen, width, height, this.courseView(app, step));
    else drawGrid(pen, width, height, { ...this.gridView(app, step), cursor });
  }

  gridView(app, step) {
    const { at } = this.moment(step), columns = app.rows[0].length;
    const place = (state) => [Math.floor(state / columns), state % columns];
    const trail = this.trace?.states.slice(0, at + 1).map(place) ?? [];
    const things = thingsOn(app, trail.at(-1) ?? app.start, this.trace?.watered?.[at]);
    const { kind, rows, corner, colours, sprites } = app;
    return { kind, rows, corner, colours, sprites, things, trail, heat: this.heat, field: this.field, ...this.wayView(app, at) };
  }

  /* The way in its colours: the agent's own, and that of help. */
  wayView({ colours }, at) {
    return { runs: runsOf(this.trace?.guard, at), hue: colours[this.hueName], help: colours.ok };
  }

  courseView(app, step) {
    const { at } = this.moment(step), { course, colours } = app, trace = this.trace;
    const points = trace?.positions.slice(0, at + 1).map((point) => onCourse(course, point)) ?? [];
    const boat = points.length ? { point: points.at(-1), heading: trace.headings[at] } : null;
    return { course, colours, ...this.wayView(app, at), trail: points, boat, timers: trace?.timers[at], respawn: 20, heat: this.heat, field: this.field };
  }

  /* In words: the step, the outcome, the chances of the next action. */
  tell(app) {
    const { at, steps, ended } = this.moment(app.state.step);
    const words = app.course || app.kind !== "maze" ? OUTCOMES_WITHOUT_END : OUTCOMES;
    const chances = this.trace?.probabilities[at] ?? [], taken = this.trace?.actions[at];
    const reached = this.trace && at >= this.reached(app), goal = reached && !ended ? `; reached the proxy goal at step ${this.reached(app)}` : "";
    const going = this.trace ? `step ${at} of ${steps}${goal}: ${inWords(app.actions, chances, taken)}` : "…";
    this.now.textContent = ended ? `${words[this.trace.outcome]} after ${steps} steps; returns: ${paid(this.trace)}` : going;
    this.now.dataset.outcome = reached ? this.trace.outcome : "";
    const why = whyOf(this.trace?.guard, at, ended);
    this.why.hidden = !app.state.guard;
    this.why.replaceChildren(element("i", { class: `swatch ${this.helps(at) ? "ok" : this.hueName}` }), why || "…");
    const likeliest = chances.indexOf(Math.max(...chances));
    this.bars.replaceChildren(...app.actions.map((name, k) => bar(name, chances[k], taken === k, likeliest === k)));
    const thing = app.course ? "course" : "board";
    this.canvas.setAttribute("aria-label", `${thing} of ${this.name}: ${this.now.textContent}`);
  }

  /* Whether the trusted agent acts at a step, or acted at the last one. */
  helps(at) {
    const actors = this.trace?.guard?.actors ?? [];
    return actors[Math.min(at, actors.length - 1)] === TRUSTED;
  }

  showVerdict(job, canAsk) {
    const over = job?.state === "done", going = job && !over && job.state !== "failed";
    this.ask.hidden = !!going || over || !canAsk;
    this.progress.hidden = !going;
    this.progress.value = job?.total ? job.done / job.total : 0;
    this.badge.hidden = !over;
    this.badge.textContent = over ? job.verdict : "";
    this.badge.className = `badge ${(job?.verdict ?? "").toLowerCase()}`;
    this.reason.textContent = reasonOf(job, over, going);
  }
}

function reasonOf(job, over, going) {
  if (going) return job.state === "waiting" ? "waiting" : `${job.stage} ${job.done} of ${job.total}`;
  if (!over) return job?.reason ?? "";
  const p = job.p_value === null ? "" : `p = ${job.p_value.toPrecision(2)}; `;
  const kind = job.difference ? `; ${job.difference.kind}: ${job.difference.reason}` : "";
  return `${p}${job.reason}${kind} (${job.episodes} ${job.split} levels, ${job.trusted} trusted agents)`;
}

function paid({ returns }) {
  return Object.entries(returns).map(([name, value]) => `${name} ${+value.toFixed(2)}`).join(", ");
}

/* Which action comes next, and whether it is the likeliest or one that the draw brought. */
function inWords(names, chances, taken) {
  const percent = (k) => `${Math.round(100 * chances[k])} %`, likeliest = chances.indexOf(Math.max(...chances));
  if (chances[taken] === chances[likeliest]) return `next ${names[taken]}, the likeliest (${percent(taken)})`;
  return `next ${names[taken]}, drawn at ${percent(taken)} (likeliest: ${names[likeliest]}, ${percent(likeliest)})`;
}

function bar(name, chance, taken, likeliest) {
  const filled = element("i");
  filled.style.width = `${100 * (chance ?? 0)}%`;
  const text = chance === undefined ? "–" : `${Math.round(100 * chance)} %`;
  const marks = `${taken ? DRAWN : ""}${likeliest ? LIKELIEST : ""}`;
  const parts = [name, marks].map((said) => element("span", {}, said));
  return element("li", taken ? { class: "taken" } : {}, ...parts, element("span", { class: "track" }, filled), element("span", {}, text));
}
