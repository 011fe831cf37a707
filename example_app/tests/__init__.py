"""The tests of the forge, as a host application has them."""
