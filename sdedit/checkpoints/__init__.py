"""Model files to models and back. Nothing in a file is ever executed.

load        a model by name, file, folder or place on the hub
hub         where a model is
registry    what is known of the published models
formats     one module a format
checkpoint  what they read, and the model made of it
models      the models that come along, and a table for each published one
"""
