/* The clock of both clips: they run together, wait at their end, and begin again. */

const WAIT_MS = 1200;

export class Replay {
  constructor(steps, speed, draw) {
    this.steps = steps;
    this.speed = speed;
    this.draw = draw;
    this.step = 0;
    this.timer = null;
  }

  get playing() { return this.timer !== null; }

  /* Begin anew: running, or where motion is not wanted at the end, with the whole way drawn. */
  begin() {
    this.pause();
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.step = still ? this.steps : 0;
    if (still) this.draw();
    else this.play();
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  play() {
    clearTimeout(this.timer);
    if (this.step >= this.steps) this.step = 0;
    this.timer = setTimeout(() => this.tick(), 1000 / this.speed());
    this.draw();
  }

  tick() {
    this.step = this.step >= this.steps ? 0 : this.step + 1;
    this.timer = setTimeout(() => this.tick(), this.step >= this.steps ? WAIT_MS : 1000 / this.speed());
    this.draw();
  }

  pause() {
    clearTimeout(this.timer);
    this.timer = null;
    this.draw();
  }

  to(step) {
    this.step = Math.min(Math.max(step, 0), this.steps);
    this.pause();
  }
}
