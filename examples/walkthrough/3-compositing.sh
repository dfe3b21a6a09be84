#!/bin/sh
# Image compositing: a part of one image, pasted into another, becomes part of it. From anywhere:
#   sh examples/walkthrough/3-compositing.sh [FOLDER]
# STEPS=5 makes it quick and rough.
set -e
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$here/results}
mkdir -p "$out"
# The images have 128 px, and so has the model.
steps="${STEPS:+--steps $STEPS} --model landscapes-128 --seed 1 --overwrite"

# The parts' transparency says where they are pasted, --at where their left top corner comes.
paste() {
    sdedit composite "$here/../painted/$1.png" "$here/$2-part.png" $3 $steps -o "$out/$1-with-$2.png"
}
paste coast rocky-ridge "--at 8,30 --scale 0.8"
paste storm-sea glacier "--at 4,22 --scale 0.7"
paste mountain-lake coast "--at 60,64"
paste sunset-sea alpine-dawn "--at 4,16 --scale 0.8"
