"""The law: One-Map layers, overlay, facts, judgement, explanations, store, outputs."""
