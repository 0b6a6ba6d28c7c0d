//! The scoreboard as a picture.
