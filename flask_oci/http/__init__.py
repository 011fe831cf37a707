"""HTTP code that the interfaces for programs share: request hooks, bodies,
authorization."""
