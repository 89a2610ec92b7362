"""What large archives cost, and how a thousand workers share them."""
