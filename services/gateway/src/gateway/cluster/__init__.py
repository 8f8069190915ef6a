"""What all gateways know together: who of them lives, who is present where, and how many listen."""
