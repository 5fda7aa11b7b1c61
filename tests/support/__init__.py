"""What the tests stand on: a scripted service, virtual time, and a world to act in."""
