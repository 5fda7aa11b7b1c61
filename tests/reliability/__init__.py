"""What happens to the money when something dies: a provider with faults, kills, an oracle."""
