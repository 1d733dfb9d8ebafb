"""Energy in terms people know: kilowatt-hours, money, carbon. A view on joules, never part of a verdict (ADR 19)."""
