"""autograd/ops."""
