"""The covers' artists: each function paints one cover as a float picture, `size` pixels square."""
