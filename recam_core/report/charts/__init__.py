"""Charts of a report as SVG inside the page: their colours follow its light or dark scheme."""
