"""The U-Net of score models: NCSN++, DDPM, DDPM++ and ADM as options of one network."""

from sdedit.diffusion.ncsnpp.config import NetworkConfig
from sdedit.diffusion.ncsnpp.network import NCSNpp

__all__ = ["NCSNpp", "NetworkConfig"]
