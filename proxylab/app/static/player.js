/* Playing: the step goes on by the clock until both agents have reached a goal, then to the end. */

export class Player {
  constructor(session, button, speed) {
    this.session = session;
    this.button = button;
    this.speed = speed;
    this.timer = null;
  }

  get playing() { return this.timer !== null; }

  toggle() {
    if (this.playing) return this.pause();
    if (this.session.state.step >= this.session.episodeSteps) this.by(-this.session.state.step);
    this.go();
    this.label();
  }

  go() {
    this.timer = setTimeout(() => {
      this.by(1);
      const { state, goalStep, episodeSteps } = this.session;
      if (state.step < episodeSteps && state.step !== goalStep && this.playing) this.go();
      else this.pause();
    }, 1000 / this.speed());
  }

  pause() {
    clearTimeout(this.timer);
    this.timer = null;
    this.label();
  }

  by(steps) {
    const step = Math.min(Math.max(this.session.state.step + steps, 0), this.session.episodeSteps);
    this.session.attempt(() => this.session.change({ step }));
  }

  label() {
    this.button.textContent = this.playing ? "Pause" : "Play";
    this.button.setAttribute("aria-label", this.playing ? "pause" : "play");
  }
}
