"""Training BCE, SCE and ReCAM networks from image-level labels."""
