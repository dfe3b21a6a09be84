"""Tensors in, tensors out, (B, 3, H, W): knows no files and no images.

schedule        sigma(t), and the noise levels of a run
samplers        each sampler's coefficients, and presets; needs no torch
reverse_sde     the sampling loop
algorithms      SDEdit: Algorithms 1 to 3
coarse_to_fine  sizes beyond the native one
score_model     network + preconditioning + schedule: denoiser and score
preconditioning, cuda_graphs, device
ncsnpp          the architecture
layers          its layers, each of which picks a backend
kernels         the backends: C for a CPU, Triton for a GPU
"""
