"""Painting in a browser: a server on this machine, which page and shell ask by the same calls.

serving     the socket, the server, the browser: from the start to the end
guard       who may ask, and what every answer's head says
app         the calls: a request -> an answer
answers     what becomes of an order, as a PNG or a stream of lines
orders      bytes and options -> work for the network
painter     one network for all: who comes when
pictures    files kept in memory, by their checksums
uploads     bodies, bounded
assets      the page's own files
limits      how much of everything
"""
