"""Elementary sounds: recordings, their analysis, and the banks that hold them."""
