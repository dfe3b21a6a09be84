"""Many guides, on one machine or many.

folder     plan, resume, share, report          listing   which guides, into which files
batches    guides to batches, in the background engine    batches through the network, pictures to disk
ledger     the record kept in the folder        resume    what is done already
ranks      sharing a list among processes       progress  how far it is
"""
