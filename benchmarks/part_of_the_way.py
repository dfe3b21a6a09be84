"""A model part of the way from one set of weights to another: what an adversary teaches is exaggerated by sampling.

python benchmarks/part_of_the_way.py FROM TO SHARE OUTPUT, SHARE in [0, 1]; the card is that of TO. What only TO has,
such as a detail network, stays as it is there: with SHARE 0 it is put round the U-Net of FROM.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from sdedit.checkpoints.formats.native import save_checkpoint
from sdedit.checkpoints.load import load_model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("start", metavar="FROM")
    parser.add_argument("end", metavar="TO")
    parser.add_argument("share", metavar="SHARE", type=float)
    parser.add_argument("output", metavar="OUTPUT", type=Path)
    given = parser.parse_args()
    start, end = (load_model(name, "cpu", "fp32") for name in (given.start, given.end))
    with torch.no_grad():
        there = start.network.state_dict()
        if not there.keys() <= end.network.state_dict().keys():
            parser.error(f"{given.end} is not a model of the architecture of {given.start}")
        for name, here in end.network.state_dict().items():
            if name in there:
                here.lerp_(there[name], 1 - given.share)
    end.card = {**end.card, "share": given.share}
    save_checkpoint(end, given.output, torch.float32)


if __name__ == "__main__":
    main()
