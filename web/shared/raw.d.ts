// Files that Vite puts into a script as texts.

declare module "*?raw" {
  const text: string;
  export default text;
}
