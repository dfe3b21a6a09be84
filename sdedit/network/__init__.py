"""The U-Net of score models: NCSN++, DDPM, DDPM++ and ADM as options of one network."""

from sdedit.network.config import NetworkConfig
from sdedit.network.ncsnpp import NCSNpp

__all__ = ["NCSNpp", "NetworkConfig"]
