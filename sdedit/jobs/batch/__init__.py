"""Many guides, on one machine or many.

folder    plan, resume, share, report
listing   which guides, into which files
batches   guides to batches, read in the background
engine    batches through the network, images to disk
resume    what is done already
ledger    the record kept in the folder
ranks     sharing a list among processes
progress  how far it is
"""
