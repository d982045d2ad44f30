/* The page: its elements tied to the session. */

import { currentColours } from "./colours.js";
import { EmbeddedSource } from "./embedded.js";
import { gifOf, pngOf, saveAs } from "./exports.js";
import { listenToKeys } from "./keys.js";
import { Hint } from "./hint.js";
import { showLegend } from "./legend.js";
import { loadPictures } from "./pictures.js";
import { Player } from "./player.js";
import { Pointer } from "./pointer.js";
import { ServerSource } from "./server.js";
import { Session } from "./session.js";
import { Side } from "./side.js";
import { wholeNumber, writeAddress } from "./state.js";

const byId = (id) => document.getElementById(id);
const LARGEST_SEED = 2147483647;

async function begin() {
  const held = byId("embedded");
  const source = held ? new EmbeddedSource(JSON.parse(held.textContent)) : new ServerSource();
  const sides = [new Side(byId("side-a"), "a", "s"), new Side(byId("side-b"), "b", "t")];
  const catalogue = await source.catalogue();
  const session = new Session(source, catalogue, sides, await loadPictures(catalogue.sprites));
  const player = new Player(session, byId("play"), () => Number(byId("speed").value));
  const ways = actionsOf(session, player);
  session.listeners.push((text) => (text === null ? reflect(session) : say(text)));
  const hint = new Hint(sides[0].board);
  session.listeners.push((text) => text === null && hint.show(session));
  byId("world").replaceChildren(...catalogue.worlds.map((world) => new Option(world.name, world.name)));
  tie(session, player, ways);
  listenToKeys(session, player, ways);
  window.addEventListener("hashchange", () => {
    if (location.hash !== writeAddress(session.state)) session.attempt(() => session.open(location.hash));
  });
  await session.attempt(() => session.open(location.hash));
}

function say(text) {
  byId("said").textContent = text;
}

/* What buttons and keys have in common. */
function actionsOf(session, player) {
  const change = (changes) => session.attempt(() => session.change(changes));
  const most = () => session.source.seeds?.(session.state.world) ?? LARGEST_SEED + 1;
  const stepTo = (step) => { player.pause(); change({ step }); };
  return {
    change,
    seedBy: (by) => { player.pause(); change({ seed: (session.state.seed + by + most()) % most() }); },
    seedTo: (seed) => { player.pause(); change({ seed: Math.min(seed, most() - 1) }); },
    stepBy: (by) => { player.pause(); player.by(by); },
    stepTo,
    edit: (rows) => { player.pause(); session.attempt(() => session.edit(rows)); },
  };
}

function tie(session, player, ways) {
  const on = (id, name, listen) => byId(id).addEventListener(name, listen);
  on("world", "change", (e) => { player.pause(); ways.change({ world: e.target.value, a: "", b: "" }); });
  on("split", "change", (e) => { player.pause(); ways.change({ split: e.target.value }); });
  on("seed", "change", (e) => ways.seedTo(wholeNumber(e.target.value, LARGEST_SEED) ?? 0));
  on("seed-down", "click", () => ways.seedBy(-1));
  on("seed-up", "click", () => ways.seedBy(1));
  on("reset", "click", () => { player.pause(); ways.change({ seed: session.state.seed }); });
  on("rewind", "click", () => ways.stepTo(0));
  on("back", "click", () => ways.stepBy(-1));
  on("forward", "click", () => ways.stepBy(1));
  on("play", "click", () => player.toggle());
  on("step", "input", (e) => ways.stepTo(Number(e.target.value)));
  on("greedy", "change", (e) => { player.pause(); ways.change({ greedy: e.target.checked, step: 0 }); });
  on("guard", "change", (e) => { player.pause(); ways.change({ guard: e.target.value, step: 0 }); });
  on("again", "click", () => { player.pause(); ways.change({ run: (session.state.run + 1) % LARGEST_SEED, step: 0 }); });
  for (const input of document.querySelectorAll("input[name=layer]")) {
    input.addEventListener("change", () => ways.change({ layer: input.value }));
  }
  document.querySelector("input[name=tool]").checked = true;
  const tool = () => document.querySelector("input[name=tool]:checked").value;
  for (const side of session.sides) tieSide(session, player, ways, side, tool);
  tieSaving(session, on);
  const repaint = () => { session.colours = currentColours(); session.draw(); };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
  window.addEventListener("resize", () => session.draw());
}

function tieSide(session, player, ways, side, tool) {
  side.select.addEventListener("change", () => { player.pause(); ways.change({ [side.letter]: side.select.value }); });
  side.ask.addEventListener("click", () => session.attempt(() => session.judge(side)));
  for (const name of ["focus", "blur"]) side.canvas.addEventListener(name, () => session.draw());
  side.canvas.addEventListener("pointerdown", () => player.pause());
  return new Pointer(session, side, tool);
}

function tieSaving(session, on) {
  const name = () => `${session.state.world}-${session.state.split}-${session.state.seed}`.replaceAll(/[^\w-]+/g, "-");
  on("png", "click", () => session.attempt(async () => saveAs(await pngOf(session), `${name()}.png`)));
  on("gif", "click", () => session.attempt(async () => {
    say("making the GIF");
    saveAs(await gifOf(session, Number(byId("speed").value)), `${name()}.gif`);
    say("");
  }));
  on("link", "click", () => session.attempt(async () => {
    await navigator.clipboard.writeText(location.href);
    say("the link is on the clipboard");
  }));
}

/* Bring the controls and the address in line with the session. */
function reflect(session) {
  const { state, world } = session;
  byId("world").value = state.world;
  byId("about").textContent = `${state.world}: ${world.description}.`;
  if (byId("split").dataset.world !== state.world) {
    byId("split").replaceChildren(...world.splits.map((split) => new Option(split, split)));
    byId("split").dataset.world = state.world;
  }
  byId("split").value = state.split;
  if (document.activeElement !== byId("seed")) byId("seed").value = state.seed;
  byId("greedy").checked = state.greedy;
  showGuard(session);
  byId("step").max = session.episodeSteps;
  byId("step").value = state.step;
  byId("clock").textContent = `${state.step} of ${session.episodeSteps}`;
  document.querySelector(`input[name=layer][value=${state.layer}]`).checked = true;
  byId("tools").disabled = session.kind === "race";
  byId("tool-move").textContent = session.course ? "Move the lagoon" : session.kind === "maze" ? "Move things" : "Move";
  byId("tool-walls").textContent = session.course ? "Empty or fill it" : "Draw walls";
  showLegend(byId("legend"), session);
  const address = writeAddress(state);
  if (location.hash !== address) history.replaceState(null, "", address);
  document.dispatchEvent(new CustomEvent("proxylab:drawn"));
}

/* The triggers of the world, the chosen one, and its threshold. */
function showGuard({ state, world, sides }) {
  const names = Object.keys(world.triggers), chosen = byId("guard");
  byId("guarded").hidden = !names.length;
  if (chosen.dataset.world !== state.world) {
    chosen.replaceChildren(new Option("off", ""), ...names.map((name) => new Option(name, name)));
    chosen.dataset.world = state.world;
  }
  chosen.value = state.guard;
  const guard = sides.map((side) => side.trace?.guard).find(Boolean);
  chosen.title = world.triggers[state.guard] ?? "";
  byId("threshold").textContent = guard ? `above ${guard.threshold.toFixed(2).replace("-", "−")}, ${guard.trusted.split("/").at(-1)} acts` : "";
}

begin();
