"""Operations composed: checking, cost, explanation, wire format, keys."""
