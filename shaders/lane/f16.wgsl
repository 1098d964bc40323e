// What is multiplied is f16, and so is a sum of four products.
enable f16;
alias Quad = vec4<f16>;
alias Square = mat4x4<f16>;
