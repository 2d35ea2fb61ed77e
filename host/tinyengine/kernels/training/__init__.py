"""Kernels of training: layers with trained constants, losses, gradients, updates."""
