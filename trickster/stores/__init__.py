"""Cache stores: where datasets and objects are kept."""
