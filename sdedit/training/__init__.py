"""Training a denoiser on a folder of photographs, as the built-in model was."""
