"""The layers of NCSN++: the same mathematics and parameters as torch's, with faster ways on a CPU and on a GPU."""
