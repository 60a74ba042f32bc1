"""The equations of ReCAM as pure functions on tensors, one concept a file."""
