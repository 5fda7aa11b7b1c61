"""What several figures need: floors that are programs, and clients that speak to them."""
