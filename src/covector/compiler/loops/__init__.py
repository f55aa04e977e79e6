"""From primitives to loops: element rules, fusion, memory."""
