"""Write the published 256 px NCSN++ with random weights, which run as fast as trained ones, for `sdedit bench`.

python benchmarks/ncsnpp_256.py ncsnpp-256.safetensors
sdedit bench --model ncsnpp-256.safetensors --diffusers --repeats 7
"""

import sys
from pathlib import Path

import torch

from sdedit import ScoreModel, VESchedule
from sdedit.checkpoints.formats.native import save_checkpoint
from sdedit.diffusion.ncsnpp import NCSNpp, NetworkConfig
from sdedit.diffusion.preconditioning import VEPreconditioning

torch.manual_seed(0)
network = NCSNpp(
    NetworkConfig(
        stem_channels=128,
        channels=(128, 128, 256, 256, 256, 256, 256),
        blocks=(2,) * 7,
        attention_levels=(4,),
        input_pyramid="skip",
        output_pyramid="skip",
    )
)
model = ScoreModel(network, VEPreconditioning(), VESchedule(0.01, 380), 256, {"name": "ncsnpp-256"})
save_checkpoint(model, Path(sys.argv[1]))
