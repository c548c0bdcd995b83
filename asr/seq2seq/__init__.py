"""From one sequence of symbols to another: spelling to phones, words to numbers, translation."""
