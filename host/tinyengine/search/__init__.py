"""Architecture search: which part of a super-network fits a board and is right most often, without training any."""
