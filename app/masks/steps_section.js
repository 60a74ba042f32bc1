// Plays the steps of a climb. All frames came with the page: nothing is asked of the server.

const players = new WeakMap();
/** Milliseconds a step. */
const PACE = 160;

class Player {
  constructor(root) {
    this.root = root;
    this.step = 0;
    const find = (selector) => root.querySelector(selector);
    Object.assign(this, { button: find("button"), range: find("input"), said: find("output") });
    this.button.addEventListener("click", () => (this.timer ? this.stop() : this.play()));
    this.range.addEventListener("input", () => {
      this.stop();
      this.show(Number(this.range.value));
    });
    this.stop();
  }

  take({ steps, name }) {
    const isNew = !this.steps || this.steps[0].picture !== steps[0].picture || this.name !== name;
    Object.assign(this, { steps, name });
    this.range.max = String(steps.length - 1);
    this.draw();
    this.show(isNew ? steps.length - 1 : Math.min(this.step, steps.length - 1));
  }

  /** The curve of the gain, from 0 to its greatest. */
  draw() {
    const gains = this.steps.map(({ gain }) => gain ?? 0), most = Math.max(...gains, 1);
    const x = (place) => (100 * place) / Math.max(gains.length - 1, 1);
    this.x = x;
    const points = gains.map((gain, place) => `${x(place).toFixed(2)} ${(96 - (92 * gain) / most).toFixed(2)}`);
    this.root.querySelector("path").setAttribute("d", `M${points.join("L")}`);
  }

  show(step) {
    this.step = step;
    const { picture, map, gain } = this.steps[step], find = (selector) => this.root.querySelector(selector);
    find(".picture").src = picture;
    find(".map").src = map;
    const words = typeof gain === "number" ? `${gain.toFixed(2)} times as much of ${this.name} as at first` : `no ${this.name} was seen at first`;
    find(".gain figcaption").textContent = `Gain: ${words}`;
    find("svg").setAttribute("aria-label", `Gain by step; now ${words}`);
    const line = find("line");
    for (const [name, value] of [["x1", this.x(step)], ["x2", this.x(step)], ["y1", 0], ["y2", 100]]) line.setAttribute(name, String(value));
    this.range.value = String(step);
    this.range.setAttribute("aria-valuetext", `step ${step + 1}, ${words}`);
    this.said.textContent = `${step + 1} of ${this.steps.length}`;
  }

  play() {
    if (this.step === this.steps.length - 1) this.show(0);
    this.timer = setInterval(() => {
      if (!this.root.isConnected || this.step === this.steps.length - 1) this.stop();
      else this.show(this.step + 1);
    }, PACE);
    this.button.textContent = "Pause";
    this.button.setAttribute("aria-pressed", "true");
  }

  stop() {
    clearInterval(this.timer);
    this.timer = null;
    this.button.textContent = "Play";
    this.button.setAttribute("aria-pressed", "false");
  }
}

export default function show({ data, parentElement }) {
  const root = parentElement.querySelector(".steps");
  if (!players.has(root)) players.set(root, new Player(root));
  players.get(root).take(data);
}
