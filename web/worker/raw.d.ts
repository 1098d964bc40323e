// Files that Vite puts into the page as texts.

declare module "*.txt?raw" {
  const text: string;
  export default text;
}
