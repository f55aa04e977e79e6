"""How repeated blocks of equations are found and rolled into loops; `compiler.roll` has the public function."""
