"""Stand-ins for the messengers' servers. They check what we send against the specifications in tests/specs."""
