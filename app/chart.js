// Draws the figure that it is given; a chart that is there already takes over the new one, and keeps its zoom.

const charts = new WeakMap();
const PATIENCE = 60000;

async function library() {
  const end = performance.now() + PATIENCE;
  while (!window.Plotly) {
    if (performance.now() > end) throw new Error("the charts' library did not come");
    await new Promise((done) => setTimeout(done, 50));
  }
  return window.Plotly;
}

class Chart {
  constructor(holder) {
    this.holder = holder;
    this.wanted = null;
    this.drawing = false;
    this.watcher = new ResizeObserver(() => {
      if (holder.isConnected && holder.querySelector(".main-svg")) window.Plotly.Plots.resize(holder);
    });
  }

  async show(data) {
    this.wanted = data;
    if (this.drawing) return;  // what is wanted last is drawn next
    this.drawing = true;
    try {
      const plotly = await library();
      while (this.wanted) {
        const { figure, name, alt, unused } = this.wanted;
        this.wanted = null;
        this.holder.style.minHeight = `${figure.layout.height}px`;
        this.holder.setAttribute("role", "figure");
        this.holder.setAttribute("aria-label", alt);
        await plotly.react(this.holder, figure.data, figure.layout, {
          displaylogo: false,
          modeBarButtonsToRemove: unused,
          toImageButtonOptions: { format: "png", filename: name, scale: 2 },
        });
        this.watcher.observe(this.holder);
      }
    } finally {
      this.drawing = false;
    }
  }

  close() {
    this.watcher.disconnect();
    if (window.Plotly) window.Plotly.purge(this.holder);
  }
}

export default function show({ data, parentElement }) {
  const holder = parentElement.querySelector(".live-chart");
  if (!charts.has(holder)) charts.set(holder, new Chart(holder));
  charts.get(holder).show(data).catch((error) => { holder.textContent = `No chart: ${error.message}.`; });
  // Streamlit may clean up after a call that a newer one has overtaken: only a chart that has left the page is closed.
  return () => setTimeout(() => {
    if (holder.isConnected || !charts.has(holder)) return;
    charts.get(holder).close();
    charts.delete(holder);
  });
}
