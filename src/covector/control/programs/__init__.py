"""Programs: recording functions as programs, and making derived programs of them."""
