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
  knows(view, revision) {
    this.revision = revision;
    this.last = JSON.stringify(this.reported(view));
  }

  /** A view as Python hears it: with the revision of Python's view that was taken over. */
  reported(view) {
    return { revision: this.revision, ...roundedView(view) };
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
      const reported = this.reported(view()), text = JSON.stringify(reported);
      if (text === this.last) return;
      this.last = text;
      this.setStateValue("view", reported);
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
