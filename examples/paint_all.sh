#!/bin/sh
# Paint every example, and make the sheets in docs/images. Run from anywhere, with sdedit installed:
#   sh examples/paint_all.sh
set -e
cd "$(dirname "$0")"
mkdir -p painted
seed=10
for guide in guides/*.png; do
    seed=$((seed + 1))
    name=$(basename "$guide" .png)
    # At 128 px, for the layers of the walkthrough, which have that size.
    sdedit paint "$guide" -o "painted/$name.png" --model landscapes-128 --size 128 --seed 1 --overwrite
    sdedit paint "$guide" --size 256 -o "painted/$name-256.jpg" --seed $seed --overwrite
done
for guide in coast glacier storm-sea; do
    sdedit paint "guides/$guide.png" --size 256 --variants 4 -o "painted/$guide-seed.jpg" --seed 1 --overwrite
done
for t0 in 0.1 0.3 0.5 0.7 0.9; do
    sdedit paint guides/mountain-lake.png --size 256 --t0 "$t0" -o "painted/mountain-lake-t$t0.jpg" --seed 1 --overwrite
done
sdedit paint guides/coast.png --size 768x384 -o ../docs/images/panorama.jpg --seed 8 --overwrite
sdedit paint guides/glacier.png --size 256 --animate ../docs/images/glacier.webp -o painted/glacier-film.jpg --seed 1 --overwrite
rm painted/glacier-film.jpg
python make_sheets.py
