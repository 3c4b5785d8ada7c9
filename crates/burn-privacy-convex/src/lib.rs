//! Convex models released with differential privacy.
