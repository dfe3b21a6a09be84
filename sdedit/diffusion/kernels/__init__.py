"""Kernels in C for a CPU and in Triton for a GPU, each with the check of what it is made for."""
