"""NCSN++, the U-Net of Song et al. (2021, arXiv 2011.13456), with all options of its variance-exploding models."""

from sdedit.diffusion.ncsnpp.config import NetworkConfig
from sdedit.diffusion.ncsnpp.network import NCSNpp

__all__ = ["NCSNpp", "NetworkConfig"]
