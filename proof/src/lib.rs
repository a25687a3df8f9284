//! What the long proofs and the ordinary tests share. Figures and single proofs are in the program beside it.

pub mod seeds;
