"""Models in the layout of diffusers: a folder with a UNet2DModel and perhaps a scheduler, both ways.

read       a folder, or a file of weights, to a checkpoint
write      a model to a folder
folder     where the files of a model's folder are
names      what the layout calls the parts of a network
ncsnpp     config.json of NCSN++
ddpm       config.json of DDPM and ADM
scheduler  scheduler_config.json
"""
