"""The parts of the page on which full trainings are started and watched."""
