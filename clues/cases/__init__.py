"""Cases: their life, who may take which step, areas, deadlines, review, and the book of cases."""
