"""Planning decides everything before the first row: inputs, choices, cost, budget, plan."""
