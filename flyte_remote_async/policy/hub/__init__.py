"""What to ask next for all that is waited for: decisions alone, without clock, die, loop or wire."""
