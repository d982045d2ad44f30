/* The networks of proxylab/networks/architectures.py, evaluated for one observation at a time.
   An observation is a list of planes, each an array of numbers, or one plain list of numbers. */

const BLOCKED_STEPS = 2;
const STEPS_BESIDE = (size) => [-size, size, -1, 1];

/* function (observation) -> {probabilities, value} of an agent {architecture, sizes, weights}. */
export function makeNetwork(agent) {
  const trunk = TRUNKS[agent.architecture](agent);
  const { weights } = agent;
  return (observation) => {
    const features = trunk(observation);
    const logits = linear(weights, "policy_head", features);
    return { probabilities: softmax(logits), value: linear(weights, "value_head", features)[0] };
  };
}

const TRUNKS = { conv, mlp, "egocentric-mlp": egocentricMLP, "value-iteration": valueIteration };

export const ARCHITECTURES = Object.keys(TRUNKS);

function linear(weights, name, input) {
  const { data, shape: [rows, columns] } = weights[`${name}.weight`];
  const found = Array.from(weights[`${name}.bias`].data);
  for (let row = 0; row < rows; row++) {
    let sum = 0;
    for (let k = 0, at = row * columns; k < columns; k++, at++) {
      if (input[k] !== 0) sum += data[at] * input[k];
    }
    found[row] += sum;
  }
  return found;
}

function softmax(logits) {
  const most = Math.max(...logits), powers = logits.map((x) => Math.exp(x - most));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}

const rectified = (x) => Math.max(x, 0);

/* A 3×3 convolution with stride 2, then padded 3×3 convolutions, each added to its input. */
function conv({ weights, observation_shape: [planes, rows] }) {
  const side = (rows - 1) >> 1, layers = ["trunk.rooms"];
  while (weights[`trunk.blocks.${layers.length - 1}.weight`]) layers.push(`trunk.blocks.${layers.length - 1}`);
  const [rooms, ...blocks] = layers.map((name) => ({ kernels: weights[`${name}.weight`], bias: weights[`${name}.bias`].data }));
  const channels = rooms.bias.length, cells = new Float64Array(planes * rows * rows);
  const sums = new Float64Array(channels * side * side), features = sums.slice();
  const padded = new Float64Array(channels * (side + 2) ** 2);
  return (observation) => {
    observation.forEach((plane, p) => cells.set(plane, p * rows * rows));
    features.fill(0);
    convolve(rooms, cells, rows, 2, sums, side);
    addRectified(sums, features, padded, side);
    for (const block of blocks) {
      convolve(block, padded, side + 2, 1, sums, side);
      addRectified(sums, features, padded, side);
    }
    return linear(weights, "trunk.hidden", features).map(rectified);
  };
}

/* The 3×3 convolution of maps with `wide` columns into `sums`, maps of side × side. */
function convolve({ kernels: { data, shape: [outs, ins] }, bias }, maps, wide, stride, sums, side) {
  const area = maps.length / ins;
  for (let out = 0, w = 0; out < outs; out++) {
    const start = out * side * side;
    sums.fill(bias[out], start, start + side * side);
    for (let from = 0; from < ins; from++, w += 9) {
      const a = data[w], b = data[w + 1], c = data[w + 2], d = data[w + 3], e = data[w + 4];
      const f = data[w + 5], g = data[w + 6], h = data[w + 7], i = data[w + 8];
      for (let row = 0, to = start; row < side; row++) {
        let x = from * area + row * stride * wide;
        for (let col = 0; col < side; col++, x += stride, to++) {
          const y = x + wide, z = y + wide;
          sums[to] += a * maps[x] + b * maps[x + 1] + c * maps[x + 2]
            + d * maps[y] + e * maps[y + 1] + f * maps[y + 2]
            + g * maps[z] + h * maps[z + 1] + i * maps[z + 2];
        }
      }
    }
  }
}

/* Add rectified sums to the features, and copy these into maps with a border of zeros. */
function addRectified(sums, features, padded, side) {
  const wide = side + 2;
  for (let k = 0; k < sums.length; k++) {
    if (sums[k] > 0) features[k] += sums[k];
    const row = Math.floor(k / side), map = Math.floor(row / side);
    padded[(row + 2 * map + 1) * wide + (k % side) + 1] = features[k];
  }
}

/* Value iteration: the best source, less the steps to it, where the mouse is and beside it. */
function valueIteration({ weights, sizes, observation_shape: [, size] }) {
  const { data: place } = weights["trunk.place"], channels = weights["trunk.log_cost"].data.length;
  const { data: look } = weights["trunk.look.weight"], { data: bias } = weights["trunk.look.bias"];
  const cost = Array.from(weights["trunk.log_cost"].data, Math.exp), scale = sizes.look_scale ?? 1;
  const sources = (planes, cells) => cells.map((cell) => Float64Array.from(cost, (_, c) => {
    let sum = place[cell * channels + c] + bias[c];
    planes.forEach((plane, p) => { if (plane[cell]) sum += plane[cell] * scale * look[c * planes.length + p]; });
    return sum;
  }));
  const distances = distancesByWalls(size);
  return (planes) => {
    const here = planes[1].indexOf(1), { cells, between } = distances(planes[0], here);
    const source = sources(planes, cells), rank = new Map(cells.map((cell, k) => [cell, k]));
    const read = (cell) => bestSource(source, between[rank.get(cell)], cost);
    const own = read(here), input = [...own];
    for (const by of STEPS_BESIDE(size)) {
      const beside = rank.has(here + by) ? read(here + by) : own.map((v, c) => v - BLOCKED_STEPS * cost[c]);
      beside.forEach((value, c) => input.push((value - own[c]) / cost[c]));
    }
    return linear(weights, "trunk.hidden", input).map(rectified);
  };
}

function bestSource(source, steps, cost) {
  return cost.map((price, c) => {
    let best = -Infinity;
    for (let k = 0; k < source.length; k++) best = Math.max(best, source[k][c] - steps[k] * price);
    return best;
  });
}

/* Steps between the cells that can be reached, kept as long as the walls stay. */
function distancesByWalls(size) {
  let key = "", known = [];
  return (walls, here) => {
    const now = walls.join("");
    if (now !== key) [key, known] = [now, []];
    let found = known.find(({ cells }) => cells.includes(here));
    if (!found) {
      const cells = [...stepsFrom(walls, size, here).keys()];
      const between = cells.map((cell) => {
        const steps = stepsFrom(walls, size, cell);
        return cells.map((there) => steps.get(there));
      });
      known.push(found = { cells, between });
    }
    return found;
  };
}

/* Map cell -> steps from a cell, by breadth-first search. */
export function stepsFrom(walls, size, start) {
  const steps = new Map([[start, 0]]);
  for (const cell of steps.keys()) {
    for (const by of STEPS_BESIDE(size)) {
      const there = cell + by;
      if (!walls[there] && !steps.has(there)) steps.set(there, steps.get(cell) + 1);
    }
  }
  return steps;
}

/* Two tanh MLPs in parallel on the plain observation. */
function mlp({ weights, sizes }) {
  return (observation) => twoMLPs(weights, sizes.depth ?? 2, flat(observation));
}

/* The same on an egocentric view of the map: the agent, on plane 1, is at its centre. */
function egocentricMLP({ weights, sizes, observation_shape: [, rows, columns] }) {
  const [down, right] = [rows - 3, columns - 3];
  return (planes) => {
    const here = planes[1].indexOf(1), view = [];
    const [row, col] = [Math.floor(here / columns), here % columns];
    for (const plane of planes) {
      for (let r = row - down; r <= row + down; r++) {
        for (let c = col - right; c <= col + right; c++) {
          const inside = r >= 0 && c >= 0 && r < rows && c < columns;
          view.push(inside ? plane[r * columns + c] : 0);
        }
      }
    }
    return twoMLPs(weights, sizes.depth ?? 2, view);
  };
}

function twoMLPs(weights, depth, input) {
  return [0, 1].flatMap((tower) => {
    let found = input;
    for (let k = 0; k < depth; k++) {
      found = linear(weights, `trunk.towers.${tower}.${2 * k}`, found).map(Math.tanh);
    }
    return found;
  });
}

function flat(observation) {
  return typeof observation[0] === "number" ? observation : observation.flatMap((plane) => [...plane]);
}
