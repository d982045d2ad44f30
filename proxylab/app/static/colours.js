/* Colours of the page, light or dark, and ramps for numbers. */

const NAMES = [
  "page", "ink", "soft", "line", "card", "s", "t", "s-ink", "t-ink", "even", "nowhere", "floor",
  "wall", "land", "water", "shore", "halo", "maybe",
];

/* {name: colour} as the style sheet has them now. */
export function currentColours() {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries(NAMES.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

/* Cividis (Nuñez, Anderton and Renslow 2018), readable with all kinds of colour vision. */
const CIVIDIS = [[0, 34, 78], [53, 69, 108], [102, 105, 112], [148, 142, 119], [200, 184, 102], [254, 232, 56]];
const PURPLE = [170, 68, 129];

function mixed(from, to, share) {
  return from.map((n, k) => Math.round(n + (to[k] - n) * share));
}

export function cividis(share) {
  const place = Math.min(Math.max(share, 0), 1) * (CIVIDIS.length - 1);
  const low = Math.min(Math.floor(place), CIVIDIS.length - 2);
  return `rgb(${mixed(CIVIDIS[low], CIVIDIS[low + 1], place - low)})`;
}

export function veil(colour, share) {
  return `color-mix(in srgb, ${colour} ${(100 * share).toFixed(1)}%, transparent)`;
}

export function purple(share) {
  return `rgba(${PURPLE}, ${share.toFixed(3)})`;
}
