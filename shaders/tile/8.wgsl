// Matrices of 8 × 8: inputs f16, sums f32.
const TILE = 8u;
alias MatrixX = coop_mat8x8<f16, A>;
alias MatrixW = coop_mat8x8<f16, B>;
alias MatrixY = coop_mat8x8<f32, C>;
