"""Pictures made from maps and masks: plain numpy in, H x W x 3 uint8 out. Nothing here knows of a user interface."""
