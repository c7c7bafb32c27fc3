"""What a generated BPF skeleton needs on the target host."""
