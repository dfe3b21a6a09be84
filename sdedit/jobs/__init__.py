"""Painting files: one guide, a folder, a list, on one machine or many.

run        what the command line asks for
single     one guide                           folder     folders and lists
watching   again when a guide is saved         replaying  again from a picture's recipe
listing    which guides, into which files      options    how, with every default settled
reading    guides to batches, in the background
engine     batches through the network, pictures to disk
resuming   what is done already                ledger     the record kept in the folder
ranks      sharing a list among processes      progress   how far it is
"""
