"""What is asked of data, as data: questions, public facts, and the programs and owners' tasks that follow from both."""
