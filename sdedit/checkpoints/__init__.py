"""Checkpoint files, one module a format, and the loading of models by name or path."""

from sdedit.checkpoints.loading import load_model
from sdedit.checkpoints.native import save_checkpoint

__all__ = ["load_model", "save_checkpoint"]
