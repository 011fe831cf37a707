"""HTTP that the interfaces for programs share: request hooks, bodies, authorization."""
