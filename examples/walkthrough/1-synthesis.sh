#!/bin/sh
# Stroke-based synthesis: a stroke painting becomes a landscape. With sdedit installed, from anywhere:
#   sh examples/walkthrough/1-synthesis.sh [FOLDER]
# STEPS=5 makes it quick and rough.
set -e
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$here/results}
mkdir -p "$out"
steps="${STEPS:+--steps $STEPS} --size 256 --seed 1 --overwrite"

# t0 says how much of the painting is given up to noise: 0.5 keeps the layout.
sdedit paint "$here/../guides/glacier.png" --t0 0.5 $steps -o "$out/glacier.png" --animate "$out/glacier.webp"

# What other values would do, side by side, with the distance to the painting as a table.
sdedit sweep "$here/../guides/glacier.png" --t0 0.2:0.8:0.2 $steps -o "$out/glacier-sweep.png"
