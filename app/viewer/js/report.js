/* What Python hears: the view once it has come to rest, and steps to another picture. Nothing while a hand moves. */

/** How long nothing may change, in ms, before the view counts as resting. */
const REST = 600;

class Report {
  constructor() {
    this.last = "";
    this.timer = 0;
    this.isHeld = false;  // while a pointer is down, the hand has not let go, even where it stands still
  }

  /** Python's ways in; new ones come with every run of the script. */
  connect({ setStateValue, setTriggerValue }) {
    Object.assign(this, { setStateValue, setTriggerValue });
  }

  /** What Python knows already. */
  knows(view) {
    this.last = JSON.stringify(roundedView(view));
  }

  /** Sends the view after it has rested; `rested` is called then, whether or not there is something to send. */
  soon(view, rested) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      if (this.isHeld) {
        this.soon(view, rested);
        return;
      }
      rested();
      const rounded = roundedView(view()), text = JSON.stringify(rounded);
      if (text === this.last) return;
      this.last = text;
      this.setStateValue("view", rounded);
    }, REST);
  }

  step(direction) {
    this.setTriggerValue("step", direction);
  }

  close() {
    clearTimeout(this.timer);
  }
}

/** Short enough for an address. */
function roundedView(view) {
  const to = (digits) => (value) => Number(value.toFixed(digits));
  return {
    ...view,
    threshold: to(2)(view.threshold),
    opacity: to(2)(view.opacity),
    wipe: to(3)(view.wipe),
    zoom: view.zoom.map(to(4)),
  };
}
