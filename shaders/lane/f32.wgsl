// What is multiplied is f32.
alias Quad = vec4f;
alias Square = mat4x4f;
