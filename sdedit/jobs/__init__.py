"""Files in, files out: one file for each command.

paint, edit, sweep, evaluate, strokes, replay, watch, train, bench, models
options   what is asked for; needs no torch and no Pillow
settings  what that means for a model: every default settled
tasks     one picture to paint, and what became of it
batch     many guides, many machines
"""
