"""Depthwise convolutions and norms that train faster on a CPU; same mathematics as PyTorch's, other code."""
