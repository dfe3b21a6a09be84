"""Files in, files out: one file for each command.

paint, edit, sweep, evaluate, strokes, replay, watch, train, bench, models
options   what is asked for; needs no torch and no Pillow
targets   which files are written
readers   guides, with the layers of an edit
settings  what that means for a model: every default resolved
tasks     one image to paint, and its result
batch     many guides, many machines
"""
