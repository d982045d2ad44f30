/* Colours of the page, light or dark, and ramps for numbers. */

const NAMES = [
  "page", "ink", "soft", "line", "card", "s", "t", "s-ink", "t-ink", "ok", "even", "nowhere", "floor",
  "wall", "land", "water", "shore", "halo", "maybe", "grass", "meadow", "sand", "foam", "sea", "shallow",
  "hull", "deck", "buoy",
];

/* {name: colour} as the style sheet has them now. */
export function currentColours() {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries(NAMES.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

/* Viridis (van der Walt and Smith 2015), readable with all kinds of colour vision. */
const VIRIDIS = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];
const PURPLE = [170, 68, 129];

function mixed(from, to, share) {
  return from.map((n, k) => Math.round(n + (to[k] - n) * share));
}

export function viridis(share) {
  const place = Math.min(Math.max(share, 0), 1) * (VIRIDIS.length - 1);
  const low = Math.min(Math.floor(place), VIRIDIS.length - 2);
  return `rgb(${mixed(VIRIDIS[low], VIRIDIS[low + 1], place - low)})`;
}

export function purple(share) {
  return `rgba(${PURPLE}, ${share.toFixed(3)})`;
}
