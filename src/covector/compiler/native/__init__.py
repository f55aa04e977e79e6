"""From loops to machine code that runs: LLVM IR, compilation, the door from Python, threads."""
