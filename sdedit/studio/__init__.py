"""Painting in a browser: a server on this machine, which page and shell ask by the same calls.

serving         the socket, the server, the browser: from the start to the end
app             which request goes to which call
guard           who may ask, and what every answer's head says
order_calls     requests for the network's work
picture_calls   requests that need no network
answers         what becomes of an order, as a PNG or a stream of lines
workshop        what the calls share
orders          bytes and options -> work for the network
layers          pictures that are edited, and what is laid over them
previews        between two evaluations
painter         one network for all: who comes when
models          those the studio was started with
pictures        files kept in memory, by their checksums
uploads         what comes in, bounded
assets          the page's own files
limits          how much of everything
"""
