#!/bin/sh
# Paint every example with the defaults, and make the sheets the README shows. Run from anywhere, with sdedit installed:
#   sh examples/paint_all.sh
set -e
cd "$(dirname "$0")"
mkdir -p painted
for guide in *.png; do
    sdedit paint "$guide" -o "painted/$guide" --seed 1 --overwrite
done
for t0 in 0.1 0.5 0.9; do
    sdedit paint mountain-lake.png --t0 "$t0" -o "painted/mountain-lake-t$t0.jpg" --seed 1 --overwrite
done
for sampler in euler-maruyama-t ancestral; do
    sdedit paint mountain-lake.png --sampler "$sampler" -o "painted/mountain-lake-$sampler.jpg" --seed 1 --overwrite
done
python sheet.py
