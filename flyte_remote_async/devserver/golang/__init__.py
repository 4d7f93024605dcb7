"""Go's formats, as the libraries that Flyte is built on read and write them."""
