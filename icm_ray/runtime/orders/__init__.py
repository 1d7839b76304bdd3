"""What driver and workers say to each other: orders, answers, jobs, the plan of a lane."""
