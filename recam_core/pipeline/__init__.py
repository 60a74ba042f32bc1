"""The whole way from image-level labels to a scored segmentation network: steps, what they take, what they give."""
