//! As typed -> as meant; the only place that prints.
