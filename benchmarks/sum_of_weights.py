"""A model whose weights are those of others, times shares that add up to 1.

    python benchmarks/sum_of_weights.py OUTPUT MODEL SHARE [MODEL SHARE ...]

0.2 of one and 0.8 of another are eight tenths of the way: what a stage teaches is exaggerated by sampling. Shares may
be negative: 1 of a model, -0.5 of another and 0.5 of what that began with takes back half of what it had learnt.
The card is that of the first model, and so is what another has not, such as a detail network: with share 0 its detail
network is put round the U-Net of the second.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import torch

from sdedit.checkpoints.formats.native import save_checkpoint
from sdedit.checkpoints.load import load_model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", metavar="OUTPUT", type=Path)
    parser.add_argument("models", metavar="MODEL SHARE", nargs="+")
    given = parser.parse_args()
    names = given.models[::2]
    try:
        shares = [float(share) for share in given.models[1::2]]
    except ValueError as error:
        parser.error(f"{error}; write MODEL SHARE MODEL SHARE, shares as numbers")
    if len(shares) < len(names) or not math.isclose(sum(shares), 1, abs_tol=1e-6):
        parser.error("every model has a share, and the shares add up to 1")
    first, *others = (load_model(name, "cpu", "fp32") for name in names)
    with torch.no_grad():
        there = [other.network.state_dict() for other in others]
        for weights, name in zip(there, names[1:], strict=True):
            if not weights.keys() <= first.network.state_dict().keys():
                parser.error(f"{name} has weights that {names[0]} has not; name the one with a detail network first")
        for name, sum_ in first.network.state_dict().items():
            # Where a model lacks a weight, the first one stands in for it.
            own = sum_.clone()
            sum_.mul_(shares[0])
            for weights, share in zip(there, shares[1:], strict=True):
                sum_.add_(weights.get(name, own), alpha=share)
    # How well others denoise does not hold for the sum.
    card = {key: value for key, value in first.card.items() if key != "calibration"}
    first.card = {**card, "weights": {Path(name).stem: share for name, share in zip(names, shares, strict=True)}}
    save_checkpoint(first, given.output, torch.float32)


if __name__ == "__main__":
    main()
