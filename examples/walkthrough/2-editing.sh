#!/bin/sh
# Stroke-based editing: strokes over an image become part of it; all other pixels stay as they are. From anywhere:
#   sh examples/walkthrough/2-editing.sh [FOLDER]
# STEPS=5 makes it quick and rough.
set -e
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$here/results}
mkdir -p "$out"
# The images have 128 px, and so has the model.
steps="${STEPS:+--steps $STEPS} --model landscapes-128 --seed 1 --overwrite"

# The strokes are transparent layers of the image's size, so that no mask is needed.
for name in coast mountain-lake sunset-sea storm-sea; do
    sdedit edit "$here/../painted/$name.png" --strokes "$here/$name-strokes.png" $steps -o "$out/$name-edited.png"
done
