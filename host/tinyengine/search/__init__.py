"""Architecture search: which network of the table's form fits a board and learns best, judged without training it."""
