"""What environments on grids share: generators, shortest paths, text and pictures."""
