#!/bin/sh
# Paint every example, and make the sheets in docs/images. Run from anywhere, with sdedit installed:
#   sh examples/paint_all.sh
set -e
cd "$(dirname "$0")"
mkdir -p painted
seed=10
for guide in *.png; do
    seed=$((seed + 1))
    sdedit paint "$guide" -o "painted/$guide" --seed 1 --overwrite
    sdedit paint "$guide" --size 256 -o "painted/${guide%.png}-256.jpg" --seed $seed --overwrite
done
for guide in coast glacier storm-sea; do
    sdedit paint "$guide.png" --size 256 --variants 4 -o "painted/$guide-seed.jpg" --seed 1 --overwrite
done
for t0 in 0.1 0.3 0.5 0.7 0.9; do
    sdedit paint mountain-lake.png --size 256 --t0 "$t0" -o "painted/mountain-lake-t$t0.jpg" --seed 1 --overwrite
done
sdedit paint coast.png --size 768x384 -o ../docs/images/panorama.jpg --seed 8 --overwrite
sdedit paint glacier.png --animate ../docs/images/glacier.webp --animate-every 2 -o painted/glacier.png --seed 1 --overwrite
python make_sheets.py
