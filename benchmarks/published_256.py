"""Write a published 256 px network with random weights, which run as fast as trained ones, for `sdedit bench`.

python benchmarks/published_256.py ncsnpp ncsnpp-256.safetensors
python benchmarks/published_256.py ddpm ddpm-256.safetensors
sdedit bench --model ncsnpp-256.safetensors --diffusers --repeats 7
"""

import argparse
from pathlib import Path

import torch

from sdedit import ScoreModel, VESchedule, VPSchedule
from sdedit.checkpoints.formats.native import save_checkpoint
from sdedit.diffusion.ncsnpp import NCSNpp, NetworkConfig
from sdedit.diffusion.preconditioning import VEPreconditioning, VPPreconditioning

# That of google/ncsnpp-church-256 and its likes, and that of google/ddpm-church-256.
NETWORKS = {
    "ncsnpp": NetworkConfig(
        stem_channels=128,
        channels=(128, 128, 256, 256, 256, 256, 256),
        blocks=(2,) * 7,
        attention_levels=(4,),
        input_pyramid="skip",
        output_pyramid="skip",
    ),
    "ddpm": NetworkConfig(
        stem_channels=128,
        channels=(128, 128, 256, 256, 512, 512),
        blocks=(2,) * 6,
        attention_levels=(4,),
        embedding="positional",
        resampling="conv",
        skip_rescale=False,
        decoder_attention="every",
        norm_groups=32,
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", choices=NETWORKS)
    parser.add_argument("file", type=Path)
    options = parser.parse_args()
    torch.manual_seed(0)
    network = NCSNpp(NETWORKS[options.network])
    schedule = VESchedule(0.01, 380) if options.network == "ncsnpp" else VPSchedule()
    preconditioning = VPPreconditioning(schedule) if isinstance(schedule, VPSchedule) else VEPreconditioning()
    card = {"name": f"{options.network}-256"}
    save_checkpoint(ScoreModel(network, preconditioning, schedule, 256, card), options.file)


if __name__ == "__main__":
    main()
