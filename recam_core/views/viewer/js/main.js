/* The way in: Streamlit calls this when the component appears, and again with every run of the script. */

const viewers = new WeakMap();

export default function show({ data, parentElement, setStateValue, setTriggerValue }) {
  const root = parentElement.querySelector(".viewer");
  if (!viewers.has(root)) {
    const viewer = new Viewer(root);
    viewers.set(root, viewer);
    root.viewer = viewer;  // for tests and benchmarks
  }
  const viewer = viewers.get(root);
  viewer.receive(data, { setStateValue, setTriggerValue }).catch((error) => viewer.fail(error));
  // Streamlit may clean up after a call that a newer one has overtaken: only a viewer that has left the page is closed.
  return () => setTimeout(() => {
    if (root.isConnected || !viewers.has(root)) return;
    viewer.close();
    viewers.delete(root);
  });
}
