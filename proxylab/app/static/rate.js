/* The page on which a person says which of two clips is better. */

import { ClipView } from "./clip.js";
import { currentColours } from "./colours.js";
import { loadPictures } from "./pictures.js";
import { Replay } from "./replay.js";
import { RatingSource } from "./server.js";

const byId = (id) => document.getElementById(id);
const GOALS = {
  maze: "The mouse should reach the cheese, as soon as it can.",
  garden: "The gardener should water all tomatoes and keep them watered.",
  race: "The boat should sail its laps clockwise around the island.",
  course: "The boat should sail its laps counter-clockwise, as fast as it can. The dashed line is the finish.",
};
const WORDS = { left: "left is better", right: "right is better", equal: "equally good", unsure: "cannot tell" };
const ANSWER_KEYS = {
  ArrowLeft: "left", a: "left", ArrowRight: "right", d: "right",
  ArrowDown: "equal", s: "equal", ArrowUp: "unsure", "?": "unsure",
};
const LOOP_SECONDS = 3.2;

class RatingSession {
  constructor(source, catalogue, sprites) {
    this.source = source;
    this.catalogue = catalogue;
    this.sprites = sprites;
    this.colours = currentColours();
    this.views = ["left", "right"].map((name) => new ClipView(byId(`clip-${name}`).closest("section"), name));
    this.replay = new Replay(catalogue.steps, () => Number(byId("speed").value), () => this.draw());
    this.state = null;
    this.busy = false;
  }

  get asked() { return this.state?.clips.length === 2; }

  /* Send one request at a time, so that a second key press never answers a question unseen. */
  async send(name, query, said) {
    if (this.busy) return;
    this.busy = true;
    try {
      this.state = await this.source[name](query);
    } catch (error) {
      return say(`Not saved: ${error.message}`);
    } finally {
      this.busy = false;
    }
    say(said(this.state));
    this.show();
  }

  answer(answer) {
    if (!this.asked) return;
    const { number } = this.state;
    this.send("answer", { number, answer }, () => `${number + 1}: ${WORDS[answer]}. Saved.`);
  }

  undo() {
    if (!this.state?.number) return;
    const number = this.state.number - 1, was = WORDS[this.state.last];
    this.send("undo", { number }, () => `Undone. ${number + 1} was: ${was}.`);
  }

  /* Show the question of the state, from its beginning. */
  show() {
    this.state.clips.forEach((clip, k) => this.views[k].show(clip, this.catalogue.kind));
    byId("asked").hidden = byId("transport").hidden = !this.asked;
    byId("over").hidden = this.asked;
    if (this.asked) this.replay.begin();
    else this.replay.pause();
    this.reflect();
  }

  draw() {
    if (!this.asked) return;
    for (const view of this.views) view.draw(this.replay.step, this.colours, this.sprites);
    byId("step").value = this.replay.step;
    byId("play").textContent = this.replay.playing ? "Pause" : "Play";
  }

  reflect() {
    const { number, total } = this.state;
    byId("done").max = total;
    byId("done").value = number;
    byId("counted").textContent = this.asked ? `${number + 1} of ${total}` : `all ${total} answered`;
    for (const button of document.querySelectorAll("[data-answer]")) button.disabled = !this.asked;
    byId("undo").disabled = number === 0;
    document.dispatchEvent(new CustomEvent("proxylab:drawn"));
  }
}

function say(text) {
  byId("said").textContent = text;
}

function tie(session) {
  const { replay } = session;
  for (const button of document.querySelectorAll("[data-answer]")) {
    button.addEventListener("click", () => session.answer(button.dataset.answer));
  }
  byId("undo").addEventListener("click", () => session.undo());
  byId("play").addEventListener("click", () => replay.toggle());
  byId("step").addEventListener("input", (event) => replay.to(Number(event.target.value)));
  for (const id of ["step", "speed"]) byId(id).addEventListener("pointerup", (event) => event.target.blur());
  document.addEventListener("keydown", (event) => listen(event, session));
  const repaint = () => { session.colours = currentColours(); session.draw(); };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
  window.addEventListener("resize", () => session.draw());
}

function listen(event, session) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (event.target.matches("input") && event.key.startsWith("Arrow")) return;
  if (event.key === " " && event.target.matches("button, summary")) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const { replay } = session, step = (by) => replay.to(replay.step + by);
  const work = key in ANSWER_KEYS ? () => session.answer(ANSWER_KEYS[key]) : {
    u: () => session.undo(),
    Backspace: () => session.undo(),
    " ": () => replay.toggle(),
    r: () => { replay.step = 0; replay.play(); },
    ",": () => step(-1),
    ".": () => step(1),
  }[key];
  if (!work) return;
  event.preventDefault();
  work();
}

async function begin() {
  const source = new RatingSource();
  try {
    const catalogue = await source.catalogue();
    byId("goal").textContent = GOALS[catalogue.kind];
    if (catalogue.question) [byId("question").textContent, byId("goal").textContent] = [catalogue.question, ""];
    byId("over").textContent = `Thank you: every question is answered, and all answers are in ${catalogue.file}.`;
    byId("step").max = catalogue.steps;
    byId("speed").value = Math.round(catalogue.steps / LOOP_SECONDS);
    const session = new RatingSession(source, catalogue, await loadPictures(catalogue.sprites));
    tie(session);
    await session.send("question", {}, ({ number }) => (number ? "Continued where you stopped." : ""));
  } catch (error) {
    say(`the page cannot begin: ${error.message}`);
  }
}

begin();
