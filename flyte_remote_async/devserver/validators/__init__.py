"""Which values and types fit where others are declared, as propeller's validators decide it. Pure."""
