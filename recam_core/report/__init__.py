"""What leaves the lab as files: maps, masks, and an analysis as one page. Figures come from the views."""
