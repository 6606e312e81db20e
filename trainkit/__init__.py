"""trainkit: train small and middle-sized networks on a CPU."""
