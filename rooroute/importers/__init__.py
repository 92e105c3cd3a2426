"""Other programs' configurations as rooroute's values. Pure: plain data comes in; values come out, with an account of every key: where it went, or why it did not."""
