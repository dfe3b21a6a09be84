"""Images in, images out: what SDEdit is used for, with one model and in memory.

paint      strokes to an image
edit       strokes or a pasted part made part of a photograph
overlay    strokes or a patch over an image, and the mask that follows
mask       found, grown, feathered
crop       the region round a mask
inpaint    the crop through the model and back
auto_t0    a start time for a guide
strokes    guides simulated from photographs
animation  a painting as it comes about
"""
