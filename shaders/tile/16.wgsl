// Matrices of 16 × 16: inputs f16, sums f32.
const TILE = 16u;
alias MatrixX = coop_mat16x16<f16, A>;
alias MatrixW = coop_mat16x16<f16, B>;
alias MatrixY = coop_mat16x16<f32, C>;
