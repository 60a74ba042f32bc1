"""From seeds to pseudo masks: what makes the maps of a picture follow its contours."""
