/* Under guard: who acts at a step, why, and in which colour the way is drawn. */

export const TRUSTED = "trusted";

/* The steps 0 to at of a way in runs of one actor: [{helped, from, to}], places included. */
export function runsOf(guard, at) {
  const runs = [];
  for (let step = 0; step < at; step++) {
    const helped = guard?.actors[step] === TRUSTED, last = runs.at(-1);
    if (last?.helped === helped) last.to = step + 1;
    else runs.push({ helped, from: step, to: step + 1 });
  }
  return runs;
}

/* Who acts at a step and why, in words; at the end, whether there was help. */
export function whyOf(guard, at, ended) {
  if (!guard) return "";
  const { trigger, threshold, actors, scores } = guard, first = actors.indexOf(TRUSTED);
  const beside = (score) => compared(trigger, score, threshold);
  if (ended && first < 0) return `${beside(Math.max(...scores))} all along: no help`;
  if (first >= 0 && at >= first) return `${beside(scores[first])}: trusted agent ${ended ? "acted from" : "acts since"} step ${first}`;
  return `${beside(scores[at])}: the agent acts itself`;
}

/* A score beside its threshold, with as many digits as it takes to tell them apart. */
function compared(trigger, score, threshold) {
  const sign = score > threshold ? ">" : "≤";
  for (let digits = 2; ; digits++) {
    const said = [score, threshold].map((number) => number.toFixed(digits).replace("-", "−"));
    if (said[0] !== said[1] || digits === 5) return `${trigger} ${said[0]} ${sign} ${said[1]}`;
  }
}
