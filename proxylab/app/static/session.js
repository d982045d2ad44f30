/* The page's state and what follows from it: the level, the fields, the episodes. */

import { currentColours } from "./colours.js";
import { heatOf } from "./layers.js";
import { courseHeat } from "./courseheat.js";
import { PIECES, editsBetween, findCell, rowsOf, sameThings, withEdits } from "./level.js";
import { exactOccupancy, indexed } from "./walks.js";
import { readAddress, writeAddress } from "./state.js";
import { arrowsOf } from "./things.js";

const IDLE_MS = 120;

export class Session {
  constructor(source, catalogue, sides, sprites) {
    this.source = source;
    this.catalogue = catalogue;
    this.sides = sides;
    this.sprites = sprites;
    this.colours = currentColours();
    this.verdicts = new Map();
    this.asked = 0;
    this.cursor = null;
    this.listeners = [];
    this.touched = false;
  }

  get world() {
    return this.catalogue.worlds.find((world) => world.name === this.state.world);
  }

  get actions() { return this.world.actions; }

  get text() { return this.course ? this.courseText : this.rows.join("\n"); }

  get episodeSteps() { return Math.max(...this.sides.map((side) => side.trace?.actions.length ?? 0)); }

  /* The step at which both have reached a goal, or ended without. */
  get goalStep() { return Math.max(...this.sides.map((side) => side.reached(this))); }

  say(text) { for (const listen of this.listeners) listen(text); }

  /* Do something; what goes wrong is said. */
  async attempt(work) {
    try {
      await work();
    } catch (error) {
      this.say(error.message);
    }
  }

  /* Take over what an address says, and show it. */
  async open(hash) {
    const state = readAddress(hash), worlds = this.catalogue.worlds;
    const world = worlds.find((w) => w.name === state.world) ?? worlds[0];
    state.world = world.name;
    if (!world.splits.includes(state.split)) state.split = world.splits.at(-1);
    ["a", "b"].forEach((letter, k) => {
      if (!world.agents.some((agent) => agent.name === state[letter])) state[letter] = world.pair[k];
    });
    if (!(state.guard in world.triggers)) state.guard = "";
    this.state = state;
    this.sides.forEach((side) => {
      side.offer(world);
      side.choose(state[side.letter]);
    });
    await this.loadLevel();
  }

  /* Change the state; a changed world, split or seed brings another level. */
  async change(changes) {
    const before = this.state;
    this.state = { ...before, ...changes };
    const fresh = ["world", "split", "seed"].some((name) => name in changes);
    if ("spoke" in changes) this.touched = true;
    if (fresh) Object.assign(this.state, { edits: "", spoke: null, targets: true, step: 0, ...changes });
    if ("world" in changes) return this.open(writeAddress(this.state));
    if (fresh || "spoke" in changes || "targets" in changes) return this.loadLevel();
    for (const side of this.sides) {
      if (this.state[side.letter] === side.name) continue;
      side.choose(this.state[side.letter]);
      side.clear();
    }
    if ("edits" in changes || "a" in changes || "b" in changes) return this.refresh();
    if ("run" in changes || "greedy" in changes || "guard" in changes) return this.runEpisodes();
    if ("layer" in changes) await this.fillOccupancy();
    return this.draw();
  }

  async loadLevel() {
    const { world, split, seed, spoke, targets } = this.state, asked = ++this.asked;
    const query = { world, split, seed, ...(spoke === null ? {} : { spoke, targets }) };
    const found = await this.source.level(query);
    if (asked !== this.asked) return;
    this.adopt(found);
    await this.refresh();
  }

  /* A level from the source, with the edits of the address. */
  adopt(found) {
    this.kind = this.world.kind;
    this.course = found.course ?? null;
    this.cursor = null;
    if (this.course) {
      [this.courseText, this.lagoon, this.rows] = [found.level, found.lagoon, null];
      return;
    }
    this.base = rowsOf(found.level);
    const edited = withEdits(this.base, this.state.edits);
    this.rows = edited && sameThings(edited, this.base) ? edited : this.base;
    this.state.edits = editsBetween(this.base, this.rows);
    this.arrows = found.arrows ? arrowsOf(rowsOf(found.arrows)) : null;
    this.setLevel(this.rows);
    this.corner = found.corner ?? null;
  }

  setLevel(rows) {
    this.rows = rows;
    this.start = findCell(rows, PIECES[this.kind].walker);
    this.goal = findCell(rows, "c");
    this.cursor ??= this.start;
  }

  /* Take over changed rows, or go back to the old ones where the source refuses them. */
  async edit(rows) {
    const before = this.rows;
    this.touched = true;
    this.setLevel(rows);
    this.state = { ...this.state, edits: editsBetween(this.base, rows), step: 0 };
    for (const side of this.sides) side.trace = side.occupancy = null;
    this.draw();
    await this.refresh(before);
  }

  /* Ask what the agents would do on this level; only the newest question counts. */
  async refresh(before = null) {
    if (this.busy) {
      this.again = { before: this.again?.before ?? before };
      return;
    }
    this.busy = true;
    try {
      for (let next = { before }; next; next = this.again) {
        this.again = null;
        await this.askFields(next.before);
      }
    } finally {
      this.busy = false;
    }
    clearTimeout(this.timer);
    const run = () => this.attempt(() => this.runEpisodes());
    this.timer = setTimeout(run, this.state.step ? 0 : IDLE_MS);
  }

  async askFields(before) {
    const { world } = this.state;
    for (const side of this.sides) side.trace = side.occupancy = null;
    const agents = this.sides.map((side) => side.name);
    try {
      const found = await this.source.field({ world, level: this.text, agents });
      if (found.level !== this.text || world !== this.state.world) return;
      this.corner = found.corner ?? null;
      this.sides.forEach((side, k) => { side.field = indexed(found.fields[k]); });
    } catch (error) {
      if (!before) throw error;
      this.say(error.message);
      this.setLevel(before);
      this.state.edits = editsBetween(this.base, before);
    }
    if (this.needsOccupancy && this.isExact) this.fillExact();
    this.draw();
    document.dispatchEvent(new CustomEvent("proxylab:field"));
  }

  get isExact() { return !!this.world.exact; }

  get needsOccupancy() { return this.state.layer === "occupancy"; }

  fillExact() {
    for (const side of this.sides) {
      side.occupancy = exactOccupancy(this.rows, side.field, this.start, this.goal, this.world.max_steps);
    }
  }

  async fillOccupancy() {
    if (!this.needsOccupancy) return;
    if (this.isExact) return this.sides[0].field && this.fillExact();
    const { world, run, greedy } = this.state, level = this.text;
    for (const side of this.sides) {
      if (side.occupancy) continue;
      const query = { world, level, agent: side.name, run, greedy };
      const found = await this.source.occupancy(query);
      if (level !== this.text || query.agent !== side.name) return;
      side.occupancy = this.course ? found.places : this.sharesByCell(found);
    }
  }

  sharesByCell({ states, shares }) {
    const columns = this.rows[0].length;
    return new Map(states.map((state, k) => [`${Math.floor(state / columns)},${state % columns}`, shares[k]]));
  }

  async runEpisodes() {
    const { world, run, greedy, guard } = this.state, level = this.text;
    const names = this.sides.map((side) => side.name), under = guard ? { guard } : {};
    const asked = names.map((agent) => this.source.episode({ world, level, agent, run, greedy, ...under }));
    if (guard) this.say("the guard's threshold is that of trusted agents, which play first");
    const traces = await Promise.all(asked);
    if (guard) this.say("");
    const same = level === this.text && ["run", "greedy", "guard"].every((name) => this.state[name] === { run, greedy, guard }[name]);
    if (!same || names.some((name, k) => name !== this.sides[k].name)) return;
    this.sides.forEach((side, k) => { side.trace = traces[k]; });
    this.state.step = Math.min(this.state.step, this.episodeSteps);
    this.draw();
    await this.fillOccupancy();
    this.draw();
    document.dispatchEvent(new CustomEvent("proxylab:ready"));
  }

  async judge(side) {
    const { world } = this.state, agent = side.name, key = `${world} ${agent}`;
    await this.source.verdict({ world, agent }, (job) => {
      this.verdicts.set(key, job);
      this.draw();
    });
  }

  verdictOf(side) {
    return this.source.knownVerdict?.(this.state.world, side.name) ?? this.verdicts.get(`${this.state.world} ${side.name}`);
  }

  draw() {
    if (!this.rows && !this.course) return;
    const sided = this.sides.map((side) => ({ field: side.field, occupancy: side.occupancy }));
    this.sides.forEach((side, k) => {
      const heat = this.course ? courseHeat : heatOf;
      side.heat = heat(this.state.layer, sided[k], sided[1 - k], this.course);
      side.show(this);
      side.showVerdict(this.verdictOf(side), !!this.source.verdict);
    });
    for (const listen of this.listeners) listen(null);
  }
}
