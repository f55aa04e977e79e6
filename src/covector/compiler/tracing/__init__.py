"""From a call to a recorded program: arguments, hidden inputs, abstract values, guards, specialisations."""
